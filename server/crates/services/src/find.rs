//! Things found by a piece of their name, their number or the beginning of their digest.

use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::Found;
use millrace_storage::{Uuid, find};

use crate::runs::visible_problems;
use crate::{Result, Services, fault};

/// Things of each kind.
const MOST: i64 = 6;
/// Characters that are looked for.
const LONGEST: usize = 200;

impl Services {
    /// Problems, deployments, model versions, datasets and runs that the reader may see; nothing for an empty text. The id of a
    /// prediction leads to its page, which says whether there is one.
    ///
    /// # Errors
    /// 400 for a text that no name could hold.
    pub async fn find(&self, actor: &Actor, text: &str) -> Result<Vec<Found>> {
        self.authorise(actor, Action::ReadWorkspace, "workspace").await?;
        let text = text.trim();
        if text.chars().count() > LONGEST || text.contains('\0') {
            return Err(Fault::field("/q", format!("must have at most {LONGEST} characters, and no NUL among them")));
        }
        if text.is_empty() {
            return Ok(Vec::new());
        }
        // Without its hyphens it could be the beginning of a digest.
        if let Some(id) = text.parse::<Uuid>().ok().filter(|_| text.len() == 36) {
            let href = format!("/predictions?id={id}");
            return Ok(vec![Found { kind: "prediction".to_owned(), name: id.to_string(), about: None, href }]);
        }
        let visible = visible_problems(actor).map(|slugs| slugs.into_iter().map(str::to_owned).collect());
        find::find(self.db.pool(), text, visible, MOST).await.map_err(fault)
    }
}
