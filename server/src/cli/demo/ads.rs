//! Generated ad clicks: time, entity, categories, missing values, and a truth that a model can find but not guess.

use std::fmt::Write;

use chrono::{DateTime, Datelike, Duration, Timelike};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CAMPAIGNS: [(&str, f64); 8] = [
    ("spring-sale", 0.9),
    ("brand", -0.9),
    ("loyalty", 0.5),
    ("new-arrivals", 0.1),
    ("clearance", 0.7),
    ("newsletter", -0.5),
    ("partner", -0.2),
    ("app-install", -1.2),
];
const DEVICES: [(&str, f64, f64); 3] = [("phone", 0.58, 0.3), ("tablet", 0.12, 0.0), ("desktop", 0.30, -0.4)];
const COUNTRIES: [(&str, f64); 6] = [("DE", 0.1), ("FR", 0.0), ("IT", 0.3), ("PL", -0.2), ("ES", 0.2), ("NL", -0.1)];
/// The first ad is shown at 2026-01-05T00:00:00Z.
const BEGIN: i64 = 1_767_571_200;

/// `rows` shown ads as CSV, ninety seconds apart: the same rows for the same seed.
pub fn generate(seed: u64, rows: usize) -> String {
    shown(seed, rows, &World::default())
}

/// The same after an app came out: nearly everybody looks at a phone, ads cost more, and the app's campaign works.
pub fn generate_drifted(seed: u64, rows: usize) -> String {
    shown(seed, rows, &World { has_app: true, ..World::default() })
}

/// The same, exported too late: the click is among the past clicks already, which no caller can know when they ask.
pub fn generate_with_leak(seed: u64, rows: usize) -> String {
    shown(seed, rows, &World { has_app: true, leak: 3.0 })
}

/// What the world is like.
#[derive(Default)]
struct World {
    /// Whether the app is out.
    has_app: bool,
    /// Clicks that are counted among those before.
    leak: f64,
}

fn shown(seed: u64, rows: usize, world: &World) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut csv = String::with_capacity(rows * 90);
    csv.push_str(
        "shown_at,user_id,campaign,device,country,position,bid_usd,ad_age_days,past_views,past_clicks,clicked\n",
    );
    for row in 0..rows {
        let shown_at = DateTime::from_timestamp(BEGIN, 0).unwrap_or_default() + Duration::seconds(90 * row as i64);
        let user = random.random_range(1..=4_000u32);
        let (campaign, appeal) = CAMPAIGNS[random.random_range(0..CAMPAIGNS.len())];
        let drawn: f64 = random.random();
        let (device, on_device) = device(if world.has_app { drawn * 0.6 } else { drawn });
        let (country, at_home) = COUNTRIES[random.random_range(0..COUNTRIES.len())];
        let position = random.random_range(1..=8u32);
        let bid =
            (-(1.0 - random.random::<f64>()).ln() * (if world.has_app { 1.8 } else { 0.6 }) * 100.0).round() / 100.0;
        let age = random.random_range(0..60u32);
        let views = random.random_range(0..200u32);
        let interest = f64::from((user * 7_919) % 1_000) / 1_000.0;
        let clicks = (f64::from(views) * 0.25 * interest * random.random::<f64>()).round();
        let evening = f64::from(u8::from((18..23).contains(&shown_at.hour())));
        let weekend = f64::from(u8::from(shown_at.weekday().num_days_from_monday() >= 5));
        let pull = -2.6 + appeal + on_device + at_home - 0.28 * f64::from(position)
            + 2.6 * interest
            + 0.5 * evening
            + 0.3 * weekend
            - 0.015 * f64::from(age)
            + 0.25 * bid.min(2.0)
            + match campaign {
                "app-install" if device == "phone" => {
                    if world.has_app {
                        3.2
                    } else {
                        1.6
                    }
                }
                _ => 0.0,
            };
        let clicked = random.random::<f64>() < 1.0 / (1.0 + (-pull).exp());
        let clicks = (clicks + if clicked { world.leak } else { 0.0 }).min(f64::from(views));
        let age = if random.random::<f64>() < 0.03 { String::new() } else { age.to_string() };
        // Writing to a string cannot fail.
        let _ = writeln!(
            csv,
            "{},u{user:05},{campaign},{device},{country},{position},{bid},{age},{views},{clicks},{}",
            shown_at.format("%Y-%m-%dT%H:%M:%SZ"),
            u8::from(clicked),
        );
    }
    csv
}

/// What the campaigns may spend a day, as CSV: set before the first ad is shown, and changed once for every other one.
pub fn campaigns() -> String {
    let mut csv = "campaign,since,entered,daily_budget_usd\n".to_owned();
    for (place, (name, appeal)) in CAMPAIGNS.iter().enumerate() {
        let budget = 200.0 + 100.0 * (appeal + 1.5).round();
        csv += &format!("{name},2026-01-01T00:00:00Z,2025-12-20T09:00:00Z,{budget}\n");
        if place % 2 == 0 {
            csv += &format!("{name},2026-01-15T00:00:00Z,2026-01-14T16:30:00Z,{}\n", budget * 1.5);
        }
    }
    csv
}

fn device(draw: f64) -> (&'static str, f64) {
    let mut left = draw;
    for (name, share, pull) in DEVICES {
        if left < share {
            return (name, pull);
        }
        left -= share;
    }
    (DEVICES[2].0, DEVICES[2].2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_file() {
        assert_eq!(generate(7, 500), generate(7, 500));
        assert_ne!(generate(7, 500), generate(8, 500));
    }

    #[test]
    fn both_outcomes_are_common_enough_to_learn() {
        let csv = generate(1, 5_000);
        let clicked = csv.lines().filter(|line| line.ends_with(",1")).count();
        assert!((500..2_000).contains(&clicked), "{clicked}");
    }
}
