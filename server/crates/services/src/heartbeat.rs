//! What must never stand still: who says that it is at work, and who is told when it is not.

use chrono::{DateTime, Utc};
use millrace_domain::heartbeat::{Heart, standing_still};
use millrace_domain::policy::Role;
use millrace_domain::view::{HeartView, StandingStill};
use millrace_storage::{Transaction, account, heartbeat};

use crate::mail::{Act, Letter};
use crate::{Result, Services, commit, fault};

impl Services {
    /// It is at work.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn beat(&self, heart: Heart) -> Result<()> {
        heartbeat::beat(self.db.pool(), heart).await.map_err(fault)
    }

    /// What stands still.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing_still(&self) -> Result<Vec<StandingStill>> {
        let pool = self.db.pool();
        let now = millrace_storage::now(pool).await.map_err(fault)?;
        let beats = heartbeat::list(pool).await.map_err(fault)?;
        let told =
            |(heart, since): (Heart, DateTime<Utc>)| StandingStill { missing: heart.missing().to_owned(), since };
        Ok(standing_still(&beats, now).into_iter().map(told).collect())
    }

    /// Every heart, for who asks from outside whether the monitor itself is alive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hearts(&self) -> Result<Vec<HeartView>> {
        let pool = self.db.pool();
        let now = millrace_storage::now(pool).await.map_err(fault)?;
        let beats = heartbeat::list(pool).await.map_err(fault)?;
        let still = standing_still(&beats, now);
        let view = |heart: Heart| HeartView {
            name: heart.as_str().to_owned(),
            beat_at: beats.iter().find(|beat| beat.heart == heart).map(|beat| beat.beat_at),
            stands_still: still.iter().any(|(other, _)| *other == heart),
        };
        Ok(Heart::ALL.into_iter().map(view).collect())
    }

    /// Tells admins and whoever is on call of what stands still, and of what is at work again: once each, whichever server looks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_at_hearts(&self) -> Result<usize> {
        let tx = self.begin().await?;
        let beats = heartbeat::hold(&tx).await.map_err(fault)?;
        let now = millrace_storage::now(&tx).await.map_err(fault)?;
        let still = standing_still(&beats, now);
        for beat in &beats {
            let stands = still.iter().find(|(heart, _)| *heart == beat.heart);
            match (stands, beat.told_at) {
                (Some((heart, since)), None) => {
                    let since = since.format("%Y-%m-%d %H:%M UTC");
                    self.tell_of_heart(&tx, format!("{} since {since}", heart.missing())).await?;
                    heartbeat::told(&tx, *heart, true).await.map_err(fault)?;
                }
                (None, Some(told)) if beat.beat_at > told => {
                    let was = beat.heart.missing().to_lowercase();
                    self.tell_of_heart(&tx, format!("At work again: it is over that {was}")).await?;
                    heartbeat::told(&tx, beat.heart, false).await.map_err(fault)?;
                }
                _ => {}
            }
        }
        commit(tx).await?;
        Ok(still.len())
    }

    async fn tell_of_heart(&self, tx: &Transaction, what: String) -> Result<()> {
        let people = account::list(tx).await.map_err(fault)?;
        let concerned = people.iter().filter(|person| {
            person.disabled_at.is_none()
                && person.grants.iter().any(|grant| matches!(grant.role, Role::Admin | Role::OnCall))
        });
        for person in concerned {
            let paragraphs = vec![
                format!("{what}."),
                "One of the loops that look after what is live has not said for a minute that it is at work, or does so again. See whether a \
                 server runs that watches, and what its log says."
                    .to_owned(),
            ];
            let letter = Letter {
                kind: "heartbeat",
                subject: what.clone(),
                paragraphs,
                act: Some(Act { label: "Open Millrace", link: self.link("/") }),
                secret: false,
                facts: Vec::new(),
                why: "You get this because you are an admin or on call.",
                thread: None,
                chart: None,
            };
            self.write_to(tx, person, letter).await?;
        }
        Ok(())
    }
}
