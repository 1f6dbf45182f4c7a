//! The database schema, one file per change. Each file is plain SQL with its own identifiers and depends on no entity, so
//! an old migration never changes with the code. Rules that must hold whoever writes (nothing runs on a specification that
//! is not signed off, nobody approves their own work, the audit trail is append-only) are constraints and triggers here, besides
//! being rules in `domain`.

use sea_orm_migration::prelude::*;

mod m0001_people;
mod m0002_audit;
mod m0003_problems;
mod m0004_steps;
mod m0005_datasets;
mod m0006_runs;
mod m0007_models;
mod m0008_predictions;
mod m0009_people_in_depth;
mod m0010_attempts_and_names;
mod m0011_joins;
mod m0012_quarantine;
mod m0013_passes;
mod m0014_roles_of_data;
mod m0015_mutes;
mod m0016_reproductions;
mod m0017_success_metric;
mod m0018_trials;
mod m0019_tracked_runs;
mod m0020_rollouts;
mod m0021_overrides_and_cases;
mod m0022_registry;
mod m0023_switches;
mod m0024_monitoring;
mod m0025_objections;
mod m0026_logs;
mod m0027_business_of_predictions;
mod m0028_points_together;
mod m0029_rehearsals;
mod m0030_estimated_loss;
mod m0031_letters;
mod m0032_heartbeats;
mod m0033_business_query;
mod m0034_uncounted;
mod m0035_how_far;
mod m0036_values_of_metrics;
mod m0037_told_together;
mod m0038_told_of_what_is_over;
mod m0039_infeasible_trials;
mod m0040_log_as_written;
mod m0041_no_values_by_name;
mod m0042_versions_of_predictions;
mod m0043_reusable_in_order;
mod m0044_paused_by;
mod m0045_looks;
mod m0046_callers;
mod m0047_reach;
mod m0048_reached;
mod m0049_same_again;
mod m0050_vouched;
mod m0051_late_values;

/// All migrations in order.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_people::Migration),
            Box::new(m0002_audit::Migration),
            Box::new(m0003_problems::Migration),
            Box::new(m0004_steps::Migration),
            Box::new(m0005_datasets::Migration),
            Box::new(m0006_runs::Migration),
            Box::new(m0007_models::Migration),
            Box::new(m0008_predictions::Migration),
            Box::new(m0009_people_in_depth::Migration),
            Box::new(m0010_attempts_and_names::Migration),
            Box::new(m0011_joins::Migration),
            Box::new(m0012_quarantine::Migration),
            Box::new(m0013_passes::Migration),
            Box::new(m0014_roles_of_data::Migration),
            Box::new(m0015_mutes::Migration),
            Box::new(m0016_reproductions::Migration),
            Box::new(m0017_success_metric::Migration),
            Box::new(m0018_trials::Migration),
            Box::new(m0019_tracked_runs::Migration),
            Box::new(m0020_rollouts::Migration),
            Box::new(m0021_overrides_and_cases::Migration),
            Box::new(m0022_registry::Migration),
            Box::new(m0023_switches::Migration),
            Box::new(m0024_monitoring::Migration),
            Box::new(m0025_objections::Migration),
            Box::new(m0026_logs::Migration),
            Box::new(m0027_business_of_predictions::Migration),
            Box::new(m0028_points_together::Migration),
            Box::new(m0029_rehearsals::Migration),
            Box::new(m0030_estimated_loss::Migration),
            Box::new(m0031_letters::Migration),
            Box::new(m0032_heartbeats::Migration),
            Box::new(m0033_business_query::Migration),
            Box::new(m0034_uncounted::Migration),
            Box::new(m0035_how_far::Migration),
            Box::new(m0036_values_of_metrics::Migration),
            Box::new(m0037_told_together::Migration),
            Box::new(m0038_told_of_what_is_over::Migration),
            Box::new(m0039_infeasible_trials::Migration),
            Box::new(m0040_log_as_written::Migration),
            Box::new(m0041_no_values_by_name::Migration),
            Box::new(m0042_versions_of_predictions::Migration),
            Box::new(m0043_reusable_in_order::Migration),
            Box::new(m0044_paused_by::Migration),
            Box::new(m0045_looks::Migration),
            Box::new(m0046_callers::Migration),
            Box::new(m0047_reach::Migration),
            Box::new(m0048_reached::Migration),
            Box::new(m0049_same_again::Migration),
            Box::new(m0050_vouched::Migration),
            Box::new(m0051_late_values::Migration),
        ]
    }
}

/// Defines a migration from its two SQL texts.
macro_rules! sql_migration {
    ($up:expr, $down:expr) => {
        #[derive(sea_orm_migration::prelude::DeriveMigrationName, Debug)]
        pub struct Migration;

        #[sea_orm_migration::async_trait::async_trait]
        impl sea_orm_migration::prelude::MigrationTrait for Migration {
            async fn up(
                &self,
                manager: &sea_orm_migration::prelude::SchemaManager,
            ) -> Result<(), sea_orm_migration::prelude::DbErr> {
                $crate::run(manager, $up).await
            }

            async fn down(
                &self,
                manager: &sea_orm_migration::prelude::SchemaManager,
            ) -> Result<(), sea_orm_migration::prelude::DbErr> {
                $crate::run(manager, $down).await
            }
        }
    };
}
pub(crate) use sql_migration;

async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    use sea_orm_migration::sea_orm::ConnectionTrait;
    manager.get_connection().execute_unprepared(sql).await.map(|_| ())
}
