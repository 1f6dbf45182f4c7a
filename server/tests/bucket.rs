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
        let place = ArtifactPlace::Bucket {
            url: "s3://models/deep/down".to_owned(),
            settings: self.settings(secret),
            drafts: self.root.path().join("drafts"),
        };
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
async fn a_file_of_many_parts_goes_into_a_bucket_and_comes_back_checked() {
    let bucket = bucket().await;
    let store = bucket.store("a-secret-key").await;
    let content: Vec<u8> = (0..40_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut draft = store.draft().unwrap();
    std::io::Write::write_all(&mut draft, &content).unwrap();
    let (digest, bytes) = store.keep(draft).await.unwrap();
    assert_eq!((digest, bytes), (Digest::of(&content), content.len() as u64));
    let mut found = Vec::new();
    std::io::Read::read_to_end(&mut store.open_file(&digest).await.unwrap(), &mut found).unwrap();
    assert!(found == content);
    assert!(matches!(store.open_file(&Digest::of("nothing")).await, Err(StorageError::Corrupt { .. })));
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
async fn a_dataset_is_fed_from_the_objects_of_a_bucket_in_their_order() {
    let bucket = bucket().await;
    let settings = bucket.settings("a-secret-key");
    let folder = bucket.root.path().join("models/in/trips");
    std::fs::create_dir_all(&folder).unwrap();
    let rows = |from: u32, to: u32| -> String {
        let row = |row: u32| format!("{},{}\n", (row * 37) % 101, u32::from((row * 37) % 101 + (row * 13) % 29 > 60));
        format!("x,big\n{}", (from..to).map(row).collect::<String>())
    };
    std::fs::write(folder.join("day-01.csv"), rows(0, 300)).unwrap();
    std::fs::write(folder.join("day-02.csv"), rows(300, 350)).unwrap();
    std::fs::write(folder.join("note.txt"), "not a day").unwrap();
    let mut env: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    env.push(("MILLRACE_SOURCES", "landing=s3://models/in"));
    let app = millrace_test_support::TestApp::start_with(BINARY, &env, &[]).await.unwrap();
    let engineer = app.person("engineer", &[millrace_domain::policy::Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[millrace_domain::policy::Role::Stakeholder]).await.unwrap();
    let source = |dataset: &str, append: bool| {
        serde_json::json!({
            "dataset": dataset, "connection": "landing", "path": "trips/day-*.csv", "every": "5s", "append": append,
        })
    };
    let document = serde_json::json!({
        "slug": "far", "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }], "success": { "metric": "roc_auc", "at_least": 0.6 },
        "sources": [source("all", true), source("newest", false)]
    });
    app.sign_off(&engineer, &stakeholder, &document).await;
    let rows_of = async |dataset: &str, wanted: i64| {
        let query = format!(
            "select coalesce(max(v.rows), 0) from dataset_version v join dataset d on d.id = v.dataset_id where d.name = '{dataset}'"
        );
        for _ in 0..150 {
            if app.count(&query).await == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        panic!("{dataset} has {} rows and not {wanted}: {}", app.count(&query).await, app.said());
    };
    rows_of("all", 350).await;
    rows_of("newest", 50).await;
    std::fs::write(folder.join("day-03.csv"), rows(350, 390)).unwrap();
    rows_of("all", 390).await;
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
