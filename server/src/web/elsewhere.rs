//! Signing in elsewhere: OpenID Connect, the authorization code flow with PKCE (S256), state and nonce.
//!
//! What a sign-in under way needs to come back (state, nonce, PKCE verifier, where to go on) lies sealed in a cookie of the
//! browser that began it, so that a link made by somebody else signs nobody in.

use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use chrono::DateTime;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use millrace_services::credentials::random_text;
use millrace_services::{Services, Vouched};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower_sessions::Session;

use crate::web::refusal::{self, Door};
use crate::web::{AppState, cookie, guard, session};

/// Name of the cookie that holds a sign-in under way.
const UNDER_WAY: &str = "millrace-elsewhere";
const UNDER_WAY_SECONDS: u32 = 600;
/// Where the provider sends people back to.
const BACK: &str = "/sign-in/elsewhere/back";

/// The provider.
#[derive(Debug)]
pub struct Provider {
    /// Its address; its settings are found below it.
    pub issuer: String,
    /// Who this program is there.
    pub client_id: String,
    /// How it shows that.
    pub client_secret: Option<String>,
    /// Claim that roles come from.
    pub claim: String,
    /// Address of this server's pages.
    pub base_url: String,
    /// Client for talking to it.
    pub http: reqwest::Client,
    /// Its settings as it last told them.
    pub known: Known,
}

/// So long what the provider told of itself is enough to send people there. What it vouches for is checked by what it says then.
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// So long a provider that did not answer is not asked again.
const AWAY_FOR: Duration = Duration::from_secs(5);

/// What a provider said when it was asked for its settings, and when that was.
#[derive(Debug, Default)]
pub struct Known(tokio::sync::Mutex<Option<(Instant, Result<CoreProviderMetadata, Fault>)>>);

/// Claims besides the standard ones; the one that roles come from is among them.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Others {
    #[serde(flatten)]
    claims: serde_json::Map<String, Value>,
}

impl AdditionalClaims for Others {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Others,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type Connected = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Only signatures that need the provider's own key: a shared secret or none at all vouches for nobody.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
];

#[derive(Debug, Serialize, Deserialize)]
struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
}

#[derive(Debug, Deserialize)]
struct Begin {
    #[serde(default)]
    next: String,
}

#[derive(Debug, Deserialize)]
struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/sign-in/elsewhere", get(begin)).route(BACK, get(come_back))
}

async fn begin(State(state): State<AppState>, Query(begin): Query<Begin>, request: Request) -> Response {
    match leave(&state, begin.next).await {
        Ok(response) => response,
        Err(fault) => refusal::answer(&Door::Page, &fault, request.uri(), request.headers()),
    }
}

async fn leave(state: &AppState, next: String) -> Result<Response, Fault> {
    let provider = state.provider.as_ref().ok_or_else(|| Fault::not_found("page"))?;
    let entropy = state.services.surroundings().entropy.clone();
    let random = |length| random_text(entropy.as_ref() as &dyn Entropy, length);
    let attempt = Attempt { state: random(32), nonce: random(32), verifier: random(64), next };
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(attempt.verifier.clone()));
    let (csrf, nonce) = (CsrfToken::new(attempt.state.clone()), Nonce::new(attempt.nonce.clone()));
    let client = provider.connect_as_known().await?;
    let (url, _, _) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || csrf, move || nonce)
        .add_scope(Scope::new("email".to_owned()))
        .add_scope(Scope::new("profile".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let sealed = state.services.seal_attempt(&json!(attempt));
    let mut response = Redirect::to(url.as_str()).into_response();
    if let Some(cookie) = state.cookies.set(UNDER_WAY, &sealed, UNDER_WAY_SECONDS) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn come_back(State(state): State<AppState>, Query(back): Query<Back>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let outcome = admit(&state, back, &parts).await;
    let mut response = match outcome {
        Ok(next) => Redirect::to(&next).into_response(),
        Err(fault) => refusal::answer(&Door::Page, &fault, &parts.uri, &parts.headers),
    };
    // One cookie, one sign-in, however it ended.
    if let Some(cookie) = state.cookies.set(UNDER_WAY, "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn admit(state: &AppState, back: Back, request: &Parts) -> Result<String, Fault> {
    let lost = |detail: &str| Fault::forbidden("sign_in_lost", detail);
    let provider = state.provider.as_ref().ok_or_else(|| Fault::not_found("page"))?;
    let sealed = cookie::read(&request.headers, UNDER_WAY).unwrap_or_default();
    let attempt: Attempt = serde_json::from_value(state.services.open_attempt(sealed)?)
        .map_err(|_| lost("this sign-in was not begun in this browser; begin again"))?;
    if back.state.as_deref() != Some(attempt.state.as_str()) {
        return Err(lost("this answer belongs to another sign-in; begin again"));
    }
    if let Some(error) = back.error {
        let error: String = error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
        return Err(lost(&format!("the provider did not sign you in: {error}")));
    }
    let code = back.code.ok_or_else(|| lost("the provider sent no code; begin again"))?;
    let vouched = provider.vouch(&state.services, code, &attempt).await?;
    let origin = guard::origin(request);
    let signed_in = state.services.sign_in_vouched(&vouched, &origin).await?;
    let session = request.extensions.get::<Session>().ok_or_else(Fault::unauthenticated)?;
    let address = origin.address.as_deref().unwrap_or_default();
    session::open(&state.services, session, signed_in, address, session::agent(&request.headers)).await?;
    let next = millrace_app::return_path::local(&attempt.next).unwrap_or("/").to_owned();
    Ok(if signed_in.owes_second_factor {
        format!("/sign-in/code?next={}", refusal::form_urlencode(&next))
    } else {
        next
    })
}

impl Provider {
    /// Connects by what was told lately: however many people come at once, the provider is asked once.
    async fn connect_as_known(&self) -> Result<Connected, Fault> {
        let mut known = self.known.0.lock().await;
        let lately = known.as_ref().filter(|(asked, said)| {
            let lasts = if said.is_ok() { KNOWN_FOR } else { AWAY_FOR };
            asked.elapsed() < lasts
        });
        let said = match lately {
            Some((_, said)) => said.clone(),
            None => known.insert((Instant::now(), self.discover().await)).1.clone(),
        };
        self.connect(said?)
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, Fault> {
        let issuer =
            IssuerUrl::new(self.issuer.clone()).map_err(|error| self.away("the issuer is no address", &error))?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.http).await;
        metadata.map_err(|error| self.away("the provider's settings could not be read", &error))
    }

    fn away(&self, what: &str, error: &dyn std::fmt::Display) -> Fault {
        tracing::warn!(%error, issuer = self.issuer, "{what}");
        Fault::new(
            502,
            "provider_away",
            "The other sign-in does not answer",
            "the sign-in provider cannot be reached just now; sign in with your password, or try again in a minute",
        )
    }

    fn connect(&self, metadata: CoreProviderMetadata) -> Result<Connected, Fault> {
        let back = RedirectUrl::new(format!("{}{BACK}", self.base_url))
            .map_err(|error| self.away("MILLRACE_BASE_URL is no address", &error))?;
        let secret = self.client_secret.clone().map(ClientSecret::new);
        Ok(Client::from_provider_metadata(metadata, ClientId::new(self.client_id.clone()), secret)
            .set_redirect_uri(back))
    }

    /// Exchanges the code for a token and checks it: signature, issuer, audience, time, nonce.
    async fn vouch(&self, services: &Services, code: String, attempt: &Attempt) -> Result<Vouched, Fault> {
        let refused = |what: &'static str| {
            move |error: &dyn std::fmt::Display| {
                tracing::warn!(%error, "{what}");
                Fault::forbidden("not_vouched", "the provider's answer could not be trusted; begin again")
            }
        };
        let client = self.connect(self.discover().await?)?;
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| refused("the provider has no token endpoint")(&error))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()))
            .request_async(&self.http)
            .await
            .map_err(|error| refused("the code was not exchanged")(&error))?;
        let token = tokens.id_token().ok_or_else(|| refused("there is no ID token")(&"none was sent"))?;
        let now = services.surroundings().now();
        let clock = move || DateTime::from_timestamp(now.timestamp(), 0).unwrap_or_default();
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(clock);
        let claims = token
            .claims(&verifier, &Nonce::new(attempt.nonce.clone()))
            .map_err(|error| refused("the ID token does not verify")(&error))?;
        Ok(Vouched {
            issuer: claims.issuer().to_string(),
            subject: claims.subject().to_string(),
            email: claims.email().map(|email| email.to_string()),
            email_verified: claims.email_verified().unwrap_or(false),
            name: claims.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
            groups: texts(claims.additional_claims().claims.get(&self.claim)),
        })
    }
}

/// A text, or a list of texts.
fn texts(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}
