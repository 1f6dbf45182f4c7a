//! Artifacts in a bucket: a server of the S3 protocol in this process, and the program with `MILLRACE_ARTIFACTS=s3://…`.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::Digest;
use millrace_storage::StorageError;
use millrace_storage::artifact::{ArtifactPlace, ArtifactStore};
use millrace_test_support::TestDatabase;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

struct Bucket {
    url: String,
    root: tempfile::TempDir,
}

async fn bucket() -> Bucket {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("models")).unwrap();
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
    service.set_auth(SimpleAuth::from_single("access", "a-secret-key"));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service.clone());
            tokio::spawn(connection);
        }
    });
    Bucket { url, root }
}

impl Bucket {
    fn settings(&self, secret: &str) -> Vec<(String, String)> {
        let settings = [
            ("AWS_ACCESS_KEY_ID", "access"),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT", &self.url),
            ("AWS_ALLOW_HTTP", "true"),
        ];
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    async fn store(&self, secret: &str) -> ArtifactStore {
        let place = ArtifactPlace::Bucket { url: "s3://models/deep/down".to_owned(), settings: self.settings(secret) };
        ArtifactStore::open(place).await.unwrap()
    }
}

#[tokio::test]
async fn what_was_put_into_a_bucket_is_read_back_checked() {
    let bucket = bucket().await;
    let store = bucket.store("a-secret-key").await;
    let content = bytes::Bytes::from(vec![7; 3 << 20]);
    let digest = store.put(content.clone()).await.unwrap();
    assert_eq!(store.get(&digest).await.unwrap(), content);
    let name = digest.to_string();
    let path = bucket.root.path().join("models/deep/down").join(&name[..2]).join(&name[2..]);
    std::fs::write(&path, b"something else").unwrap();
    assert!(matches!(store.get(&digest).await, Err(StorageError::Corrupt { .. })));
    store.put(content.clone()).await.unwrap();
    assert_eq!(store.get(&digest).await.unwrap(), content, "putting again mends it");
    let missing = store.get(&Digest::of("nothing")).await.unwrap_err();
    assert!(missing.to_string().contains("missing"), "{missing}");
}

#[tokio::test]
async fn a_wrong_key_is_an_error_and_nothing_is_kept() {
    let bucket = bucket().await;
    let store = bucket.store("another-key").await;
    assert!(store.put(bytes::Bytes::from_static(b"weights")).await.is_err());
    assert!(!bucket.root.path().join("models/deep").exists());
}

#[tokio::test]
async fn the_program_keeps_uploads_in_a_bucket() {
    let bucket = bucket().await;
    let settings = bucket.settings("a-secret-key");
    let mut env: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    env.push(("MILLRACE_ARTIFACTS", "s3://models/millrace"));
    let app = millrace_test_support::TestApp::start_with(BINARY, &env, &[]).await.unwrap();
    let engineer = app.person("engineer", &[millrace_domain::policy::Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[millrace_domain::policy::Role::Stakeholder]).await.unwrap();
    let document = serde_json::json!({
        "slug": "far", "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }], "success": { "metric": "roc_auc", "at_least": 0.6 }
    });
    app.sign_off(&engineer, &stakeholder, &document).await;
    let rows: String = (0..300u32)
        .map(|row| format!("{},{}\n", (row * 37) % 101, u32::from((row * 37) % 101 + (row * 13) % 29 > 60)))
        .collect();
    let version = app.load(&engineer, "far", "rows.csv", format!("x,big\n{rows}").into_bytes()).await;
    assert_eq!(version["summary"]["state"], "valid", "{version}");
    let run = app.run(&engineer, "far", serde_json::json!({ "trainer": "logistic" })).await;
    assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
    assert!(bucket.root.path().join("models/millrace").is_dir());
    assert_eq!(std::fs::read_dir(app.home().join("artifacts")).into_iter().flatten().count(), 0);
    app.remove().await;
}

#[tokio::test]
async fn a_bucket_whose_address_is_not_understood_stops_the_start() {
    let database = TestDatabase::new().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let ended = std::process::Command::new(BINARY)
        .args(["serve", "--addr", "127.0.0.1:0"])
        .env("DATABASE_URL", &database.url)
        .env("MILLRACE_HOME", home.path())
        .env("MILLRACE_ARTIFACTS", "gs://models")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("s3://bucket"), "{said}");
    database.remove().await;
}
