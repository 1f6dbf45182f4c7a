//! `serve` and `worker`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use leptos::config::LeptosOptions;
use millrace_jobs::{
    BusinessReader, ParityAuditor, Post, PostSettings, Sources, Watch, WebhookSender, check_artifacts,
    conduct_rollouts, look_at_hearts,
};
use millrace_services::Services;
use millrace_serving::Serving;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{People, Storage, Web};
use crate::web::cookie::Cookies;
use crate::web::{AppState, EventHub, Parts, SitePath, Tokens, record_metrics, router};
use crate::{accept, outside, wiring};

/// Serves until told to stop, runs so many steps at a time, if any, and watches what is live if it is asked to.
pub async fn serve(storage: Storage, mut web: Web, slots: Option<usize>, watches: bool) -> anyhow::Result<()> {
    web.check()?;
    let shutdown = wiring::shutdown_signal()?;
    let listener = listen(&mut web).await?;
    let parts = wiring::open(&storage, wiring::Told::by(&web)?).await?;
    let services = parts.services;
    record_metrics();
    announce(&services, &web).await?;
    let workers = CancellationToken::new();
    let webhooks = WebhookSender::new(services.clone(), &storage.webhooks()?).context("MILLRACE_WEBHOOKS")?;
    let worker = slots.map(|slots| {
        let worker = wiring::worker(&services, &worker_name("serve"), outside::timing());
        // While open requests are answered it claims nothing any more, and what it was at is another worker's.
        tokio::spawn(worker.run(slots, shutdown.clone()))
    });
    let post = tokio::spawn(sender(&services, &storage, &web)?.run(workers.clone()));
    let stand_in = tokio::spawn(sender(&services, &storage, &web)?.stand_in(workers.clone()));
    tokio::spawn(webhooks.run(workers.clone()));
    tokio::spawn(Sources::new(services.clone(), storage.places()?).run(workers.clone()));
    tokio::spawn(ParityAuditor::new(services.clone()).run(workers.clone()));
    tokio::spawn(conduct_rollouts(services.clone(), workers.clone()));
    tokio::spawn(check_artifacts(services.clone(), workers.clone()));
    tokio::spawn(look_at_hearts(services.clone(), workers.clone()));
    if watches {
        tokio::spawn(Watch::new(services.clone()).run(workers.clone()));
        tokio::spawn(BusinessReader::new(services.clone(), storage.places()?).run(workers.clone()));
    }
    tokio::spawn(millrace_jobs::tidy(services.clone(), workers.clone()));
    serve_on(listener, services, &web, shutdown).await?;
    workers.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), futures::future::join(post, stand_in)).await;
    if let Some(worker) = worker {
        // A computing step looks whether to stop; another worker takes it up.
        let _ = tokio::time::timeout(Duration::from_secs(5), worker).await;
    }
    if let Some(cluster) = parts.cluster {
        tokio::task::spawn_blocking(move || cluster.stop()).await??;
    }
    Ok(())
}

/// Whoever sends letters.
pub fn sender(services: &Services, storage: &Storage, web: &Web) -> anyhow::Result<Post> {
    let settings = PostSettings {
        smtp_url: web.mail.smtp_url.clone(),
        from: web.mail.mail_from.clone(),
        directory: storage.home.join("mail"),
        patience: Duration::from_secs_f64(web.mail.mail_patience),
    };
    Ok(Post::new(services.clone(), &settings)?)
}

/// Answers on a listener until told to stop.
pub async fn serve_on(
    listener: TcpListener,
    services: Services,
    web: &Web,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let db = services.db().clone();
    let artifacts = services.artifacts().clone();
    let state = AppState::new(Parts {
        serving: Serving::start(
            db.clone(),
            artifacts,
            outside::surroundings(),
            &worker_name("serve"),
            web.predictions_at_once,
            outside::failpoint().as_deref(),
            shutdown.clone(),
        )
        .await,
        events: EventHub::start(db, shutdown.clone()),
        services,
        leptos: LeptosOptions::builder().output_name("millrace").site_addr(web.addr).build(),
        site: SitePath(web.site.clone()),
        cookies: Cookies { secure: web.is_secure() },
        tokens: Arc::new(Tokens::new(web.token_rate)),
        replays: tokio::sync::Semaphore::new(1),
        provider: web.elsewhere.provider(web.base_url())?.map(Arc::new),
    });
    if !web.site.join("pkg").join("millrace.js").exists() {
        tracing::warn!(
            "no browser bundle in {}: pages work, without live parts (cargo xtask build makes it)",
            web.site.display()
        );
    }
    let serving = state.serving.clone();
    let app = router(state, web)?;
    accept::serve(listener, app, shutdown).await;
    serving.finish().await;
    Ok(())
}

/// Binds the address, saying what to do when it is taken. Where its port is 0 it is the one that was given from then on.
pub async fn listen(web: &mut Web) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(web.addr).await.with_context(|| {
        format!(
            "{} cannot be listened on; another program may have the port, choose one with --addr or MILLRACE_ADDR",
            web.addr
        )
    })?;
    web.addr = listener.local_addr()?;
    Ok(listener)
}

/// Says where the server is, how to make the first account, and the head of the audit chain.
async fn announce(services: &Services, web: &Web) -> anyhow::Result<()> {
    let url = web.base_url();
    tracing::info!("listening on {}, for people at {url}", web.addr);
    if web.is_secure() && web.trusted_proxies.is_empty() {
        tracing::warn!(
            "people come by https through a proxy, but MILLRACE_TRUSTED_PROXIES does not name it: all of them count as one \
             address, so a stranger's wrong passwords make everybody wait"
        );
    }
    if let Some((sequence, hash)) = services.audit_head().await? {
        tracing::info!("audit trail: {sequence} entries, head {hash}");
    }
    if let Some(code) = services.offer_set_up().await? {
        println!("No account exists yet. Make the first admin within 24 hours at:\n{url}/set-up?code={}", code.0);
    }
    Ok(())
}

/// Runs steps until told to stop.
pub async fn work(storage: Storage, people: People, slots: usize) -> anyhow::Result<()> {
    let shutdown = wiring::shutdown_signal()?;
    let parts = wiring::open(&storage, wiring::Told::from(&people)).await?;
    let name = worker_name("worker");
    tracing::info!(name, slots, "worker started");
    wiring::worker(&parts.services, &name, outside::timing()).run(slots, shutdown).await;
    Ok(())
}

/// Names a worker by host and process, so that a lost one can be found.
fn worker_name(kind: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{kind}@{}:{}", host.trim(), std::process::id())
}
