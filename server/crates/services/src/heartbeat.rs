//! What must never stand still: who says that it is at work, and who is told when it is not.

use chrono::{DateTime, Utc};
use millrace_domain::heartbeat::{Heart, Heartbeat};
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
        let (beats, now) = self.beats().await?;
        let still = beats.into_iter().filter(|beat| beat.stands_still(now));
        let told = |beat: Heartbeat| StandingStill { missing: beat.heart.missing().to_owned(), since: beat.beat_at };
        Ok(still.map(told).collect())
    }

    /// Whether this one stands still.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stands_still(&self, heart: Heart) -> Result<bool> {
        let (beats, now) = self.beats().await?;
        Ok(beats.iter().any(|beat| beat.heart == heart && beat.stands_still(now)))
    }

    /// Every heart, for who asks from outside whether the monitor itself is alive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hearts(&self) -> Result<Vec<HeartView>> {
        let (beats, now) = self.beats().await?;
        let view = |beat: Heartbeat| HeartView {
            name: beat.heart.as_str().to_owned(),
            beat_at: beat.beat_at,
            stands_still: beat.stands_still(now),
        };
        Ok(beats.into_iter().map(view).collect())
    }

    async fn beats(&self) -> Result<(Vec<Heartbeat>, DateTime<Utc>)> {
        let pool = self.db.pool();
        let now = millrace_storage::now(pool).await.map_err(fault)?;
        Ok((heartbeat::list(pool).await.map_err(fault)?, now))
    }

    /// Tells admins and whoever is on call of what stands still, and of what is at work again: once each, whichever server looks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_at_hearts(&self) -> Result<usize> {
        let tx = self.begin().await?;
        let beats = heartbeat::hold(&tx).await.map_err(fault)?;
        let now = millrace_storage::now(&tx).await.map_err(fault)?;
        for beat in &beats {
            let missing = beat.heart.missing();
            match (beat.stands_still(now), beat.told_at) {
                (true, None) => {
                    let since = beat.beat_at.format("%Y-%m-%d %H:%M UTC");
                    self.tell_of_heart(&tx, format!("{missing} since {since}")).await?;
                    heartbeat::told(&tx, beat.heart, true).await.map_err(fault)?;
                }
                (false, Some(_)) => {
                    self.tell_of_heart(&tx, format!("At work again: it is over that {}", missing.to_lowercase()))
                        .await?;
                    heartbeat::told(&tx, beat.heart, false).await.map_err(fault)?;
                }
                _ => {}
            }
        }
        commit(tx).await?;
        Ok(beats.iter().filter(|beat| beat.stands_still(now)).count())
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
                "It is told when a part of the servers has not said for fifty seconds that it is at work, and when it does so again. See which servers \
                 run, whether one of them watches, and what their logs say."
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
