//! A version's model in the form that other programs run.

use std::sync::Arc;

use millrace_domain::fault::Fault;
use millrace_storage::{StorageError, model};

use crate::Serving;

impl Serving {
    /// The model of a version as an ONNX file, whether the version is live or not. One is written at a time, so that callers of models have
    /// the machine for themselves.
    ///
    /// # Errors
    /// 404 without such a version; 409 `not_exportable` with the reason where ONNX cannot tell the model, and `cannot_be_loaded` where it
    /// cannot be read; 503 without the database.
    pub async fn onnx(&self, slug: &str, number: i32) -> Result<Vec<u8>, Fault> {
        let failed = |_| Fault::new(500, "internal", "Internal error", "the file could not be written");
        let turn = Arc::clone(&self.exports).acquire_owned().await.map_err(|_| failed(()))?;
        let unavailable = |error: StorageError| Fault::new(503, "database_unavailable", "Try again", error.to_string());
        let version = model::find_numbered(self.db.pool(), slug, number).await.map_err(unavailable)?;
        let version = version.ok_or_else(|| Fault::not_found("model version"))?;
        let live = self.read(slug, version.id).await.map_err(|error| {
            Fault::conflict("cannot_be_loaded", format!("version {number} of {slug} cannot be loaded: {error}"))
        })?;
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            live.model.to_onnx(&version.artifact)
        });
        let written = written.await.map_err(|_| failed(()))?;
        written.map_err(|reason| Fault::conflict("not_exportable", format!("version {number} of {slug}: {reason}")))
    }
}
