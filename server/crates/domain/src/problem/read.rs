//! From a JSON or TOML tree to a [`ProblemDocument`], collecting every mistake.

use serde_json::Value;

use super::walk::{Mistakes, Table};
use super::{
    AboutFeatures, Approvals, Business, Csv, Data, Definition, Fallback, GateLimits, Goal, Mistake, Monitoring, Notify,
    ProblemDocument, Quarantine, Retraining, Rollout, Serving, Slice, Split, Target, TimeFormat,
};
use crate::expr::Expression;
use crate::metric::{Bound, Costs, Direction, Metric, TargetKind};
use crate::monitor::Estimate;
use crate::policy::{Action, Role};
use crate::trainer::Aim;

const METRICS: &str = "roc_auc, pr_auc, log_loss, brier, ece, cost, accuracy, balanced_accuracy, f1, precision, recall, rmse, mae, mape, r2, \
                       pinball, coverage_error";

impl ProblemDocument {
    /// Reads a document from its JSON tree.
    ///
    /// # Errors
    /// Every mistake at once, each with its pointer.
    pub fn from_json(value: &Value) -> Result<Self, Vec<Mistake>> {
        let mistakes = Mistakes::default();
        let document = Table::new(value, "", &mistakes).and_then(|table| document(&table));
        match document {
            Some(document) if mistakes.is_empty() => Ok(document),
            _ => Err(mistakes.into_vec()),
        }
    }

    /// Reads a document from text: JSON when it begins with a brace, else TOML.
    ///
    /// # Errors
    /// Every mistake at once, each with its pointer; a text that cannot be read at all is one mistake at `""`.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let whole = |message: String| vec![Mistake { pointer: String::new(), message }];
        let value: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| whole(format!("is not JSON: {error}")))?
        } else {
            toml::from_str(text).map_err(|error| whole(format!("is not TOML: {}", error.to_string().trim_end())))?
        };
        let document = Self::from_json(&value)?;
        let mistakes = document.operation_mistakes();
        if mistakes.is_empty() { Ok(document) } else { Err(mistakes) }
    }
}

fn document(table: &Table<'_>) -> Option<ProblemDocument> {
    let slug = slug(table);
    let title = table.line("title", 200);
    let decision = table.line("decision", 500);
    let target = table.table("target").and_then(|target| self::target(&target));
    let data = table.table("data").and_then(|data| self::data(&data));
    let sources = super::source::sources(table);
    let joins = super::join::joins(table, data.as_ref());
    let feature_set = table.optional_table("feature_set").map(|about| about_features(&about));
    let features = super::feature::features(table).map(|mut features| {
        super::join::add_features(&joins, &mut features);
        features
    });
    if let (Some(features), Some(target)) = (&features, &target) {
        super::join::check(table, &joins, features, target);
        super::feature::check(table, features, target);
    }
    let said = super::environment::Read {
        data: data.as_ref(),
        target: target.as_ref(),
        features: features.as_deref().unwrap_or_default(),
        tables: &joins.tables,
        keys: super::join::key_columns(&joins.lookups, &joins.aggregates).collect(),
    };
    let environments = super::environment::environments(table, &said);
    let checks = super::rule::checks(table);
    let kind = target.as_ref().map(|target| target.kind);
    let aim = target.as_ref().map(Aim::from);
    let success = table.table("success").and_then(|success| self::success(&success, aim));
    let guardrails = table.tables("guardrails").iter().filter_map(|guardrail| goal(guardrail, aim, true)).collect();
    let slices = table.tables("slices").iter().filter_map(|slice| self::slice(slice, aim)).collect();
    let gates = GateLimits::read(table, kind);
    let serving = serving(table, target.as_ref());
    let business = Business::read(table);
    let rollout = Rollout::read(table);
    let monitoring = Monitoring::read(table);
    let retraining = Retraining::read(table);
    estimated(table, monitoring.as_ref(), retraining.as_ref(), kind.zip(success.as_ref()));
    let approvals = approvals(table);
    let notify = Notify::read(table);
    table.close();
    Some(ProblemDocument {
        slug: slug?,
        title: title?,
        decision: decision?,
        target: target?,
        data: data?,
        sources,
        tables: joins.tables,
        lookups: joins.lookups,
        aggregates: joins.aggregates,
        environments,
        feature_set,
        features: features?,
        checks,
        success: success?,
        guardrails,
        slices,
        gates,
        serving: serving?,
        business,
        rollout: rollout?,
        monitoring: monitoring?,
        retraining,
        approvals: approvals?,
        notify,
    })
}

/// What is estimated before outcomes are known must be what the document is about, and watched where it is a reason.
fn estimated(
    table: &Table<'_>,
    monitoring: Option<&Monitoring>,
    retraining: Option<&Retraining>,
    aimed: Option<(TargetKind, &Goal)>,
) {
    let Some(monitoring) = monitoring else { return };
    if monitoring.estimated_loss.is_some()
        && aimed.is_some_and(|(kind, success)| kind != TargetKind::Binary || !Estimate::has(success.metric))
    {
        let message = "goes with a binary target whose success.metric is roc_auc or accuracy; others are not estimated";
        table.mistake_at("monitoring/estimated_loss", message);
    }
    if monitoring.estimated_loss.is_none() && retraining.is_some_and(|policy| policy.on_estimated_loss) {
        let message = "needs monitoring.estimated_loss, which says how much worse is too much";
        table.mistake_at("retraining/on_estimated_loss", message);
    }
}

fn slug(table: &Table<'_>) -> Option<String> {
    let slug = table.text("slug")?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let shaped = (2..=63).contains(&slug.len())
        && slug.chars().all(fits)
        && slug.starts_with(|c: char| c.is_ascii_lowercase())
        && !slug.ends_with('-');
    if !shaped {
        table.mistake(
            "slug",
            format!("must be 2 to 63 lower-case letters, digits and hyphens, beginning with a letter, got {slug:?}"),
        );
        return None;
    }
    Some(slug.to_owned())
}

fn expression(table: &Table<'_>, key: &'static str, text: &str) -> Option<Expression> {
    Expression::parse(text).map_err(|error| table.mistake(key, error.to_string())).ok()
}

fn target(table: &Table<'_>) -> Option<Target> {
    let name = table.line("name", 100);
    let kind = table.word::<TargetKind>("kind", "binary, multiclass, regression");
    let definition = match (table.optional_text("column"), table.optional_text("expression")) {
        (Some(_), Some(_)) => {
            table.mistake("column", "give either column or expression, not both");
            None
        }
        (Some(column), None) => Some(Definition::Column(column.to_owned())),
        (None, Some(text)) => expression(table, "expression", text).map(Definition::Expression),
        (None, None) => {
            if !table.has("column") && !table.has("expression") {
                table.mistake("column", "is missing: say which column holds the label, or give an expression");
            }
            None
        }
    };
    let delay = table.span_or("delay", "0s");
    let costs = table.optional_table("costs").map(|costs| self::costs(&costs));
    if costs.is_some() && kind.is_some_and(|kind| kind != TargetKind::Binary) {
        table.mistake("costs", "are of the two errors of a binary target; this one is of another kind");
    }
    let quantile = table.has("quantile").then(|| table.number_in("quantile", 0.001, 0.999, None));
    if quantile.is_some() && kind.is_some_and(|kind| kind != TargetKind::Regression) {
        table.mistake("quantile", "is of a target that is a number; this one is of another kind");
    }
    let unit = table.has("unit").then(|| table.line("unit", 40));
    if unit.is_some() && kind.is_some_and(|kind| kind != TargetKind::Regression) {
        table.mistake("unit", "is of a target that is a number; this one is of another kind");
    }
    table.close();
    let costs = match costs {
        None => None,
        Some(costs) => Some(costs?),
    };
    let quantile = match quantile {
        None => None,
        Some(quantile) => Some(quantile?),
    };
    let unit = match unit {
        None => None,
        Some(unit) => Some(unit?),
    };
    Some(Target { name: name?, kind: kind?, definition: definition?, delay: delay?, costs, quantile, unit })
}

fn costs(table: &Table<'_>) -> Option<Costs> {
    const LEAST: f64 = 1e-9;
    let false_positive = table.number_in("false_positive", LEAST, 1e12, None);
    let false_negative = table.number_in("false_negative", LEAST, 1e12, None);
    table.close();
    Some(Costs { false_positive: false_positive?, false_negative: false_negative? })
}

fn data(table: &Table<'_>) -> Option<Data> {
    let entity = table.optional_text("entity").map(str::to_owned);
    let event_time = table.optional_text("event_time").map(str::to_owned);
    let known_time = table.optional_text("known_time").map(str::to_owned);
    if known_time.is_some() && event_time.is_none() {
        table.mistake("known_time", "needs an event_time");
    }
    let time_format = time_format(table);
    let split = match table.optional_table("split") {
        Some(split) => self::split(&split),
        None if table.has("split") => None,
        None => Some(Split::Time { validation: 0.15, test: 0.15 }),
    };
    let expected_rows = table.optional_whole("expected_rows");
    let csv = table.optional_table("csv").map(|csv| self::csv(&csv));
    let quarantine = table.optional_table("quarantine").and_then(|quarantine| {
        let at_most = quarantine.number_in("at_most", 0.0, 0.5, None);
        quarantine.close();
        Some(Quarantine { at_most: at_most? })
    });
    table.close();
    let time_format = time_format?;
    Some(Data { entity, event_time, known_time, time_format, csv, split: split?, expected_rows, quarantine })
}

pub(super) fn time_format(table: &Table<'_>) -> Option<TimeFormat> {
    let formats = [("iso", TimeFormat::Iso), ("unix_s", TimeFormat::UnixS), ("unix_ms", TimeFormat::UnixMs)];
    table.word_of("time_format", &formats, TimeFormat::Iso)
}

pub(super) fn csv(table: &Table<'_>) -> Csv {
    let delimiter = if table.has("delimiter") { table.text_of_one("delimiter") } else { None };
    let header = table.truth_or("header", true);
    let encoding = table.optional_text("encoding").map(str::to_lowercase);
    let missing = table.optional_texts("missing").unwrap_or_default();
    let decimal_comma = table.truth_or("decimal_comma", false);
    if decimal_comma && delimiter.is_none_or(|delimiter| delimiter == ',') {
        table.mistake("delimiter", "must be said, and not be the comma, where commas stand inside numbers");
    }
    table.close();
    Csv { delimiter, header, encoding, missing, decimal_comma }
}

fn split(table: &Table<'_>) -> Option<Split> {
    let by_time = table.word_of("kind", &[("time", true), ("random", false)], true);
    let validation = table.number_in("validation", 0.0, 0.5, Some(0.15));
    let test = table.number_in("test", 0.01, 0.5, Some(0.15));
    let seed = table.optional_whole("seed");
    let entity = table.optional_text("entity").map(str::to_owned);
    if by_time == Some(true) && entity.is_some() {
        table.mistake("entity", "belongs to a random split; a time split keeps the order of time");
    }
    if by_time == Some(true) && seed.is_some() {
        table.mistake("seed", "belongs to a random split; a time split has none");
    }
    table.close();
    let (validation, test) = (validation?, test?);
    if validation + test > 0.8 {
        table.mistake(
            "test",
            format!("validation and test take {} of the rows; leave at least 0.2 to train on", validation + test),
        );
        return None;
    }
    Some(if by_time? {
        Split::Time { validation, test }
    } else {
        Split::Random { validation, test, seed: seed.unwrap_or(0), entity }
    })
}

fn about_features(table: &Table<'_>) -> AboutFeatures {
    let owner = if table.has("owner") { table.line("owner", 200) } else { None };
    let description = if table.has("description") { table.line("description", 1_000) } else { None };
    table.close();
    AboutFeatures { owner, description }
}

fn success(table: &Table<'_>, aim: Option<Aim>) -> Option<Goal> {
    let smallest_difference = table.optional_number("smallest_difference");
    if smallest_difference.is_some_and(|difference| difference <= 0.0) {
        table.mistake("smallest_difference", "must be greater than 0: it is the smallest difference that matters");
    }
    let goal = goal(table, aim, true)?;
    if goal.metric == Metric::CoverageError {
        table.mistake("metric", "coverage_error is no success: the training part's quantile alone has little of it; take pinball, and coverage_error as a guardrail");
    }
    Some(Goal { smallest_difference, ..goal })
}

fn goal(table: &Table<'_>, aim: Option<Aim>, closes: bool) -> Option<Goal> {
    let metric = table.word::<Metric>("metric", METRICS);
    if let (Some(metric), Some(aim)) = (metric, aim)
        && !metric.is_of(aim)
    {
        let fitting: Vec<&str> =
            Metric::ALL.into_iter().filter(|metric| metric.is_of(aim)).map(Metric::as_str).collect();
        let way_out = if metric.is_of_quantile() && aim.kind == TargetKind::Regression {
            "; with target.quantile it would"
        } else {
            ""
        };
        table.mistake(
            "metric",
            format!("{metric} does not fit a {aim} target{way_out}; fitting are {}", fitting.join(", ")),
        );
    }
    let bound = match (table.optional_number("at_least"), table.optional_number("at_most")) {
        (Some(_), Some(_)) => {
            table.mistake("at_least", "give either at_least or at_most, not both");
            None
        }
        (Some(limit), None) => Some(Bound::AtLeast(limit)),
        (None, Some(limit)) => Some(Bound::AtMost(limit)),
        (None, None) => {
            if !table.has("at_least") && !table.has("at_most") {
                table.mistake("at_least", "is missing: say at_least or at_most");
            }
            None
        }
    };
    if let (Some(metric), Some(bound)) = (metric, bound) {
        match (metric.direction(), bound) {
            (Direction::Up, Bound::AtMost(_)) => {
                table.mistake("at_most", format!("more {metric} is better; say at_least"))
            }
            (Direction::Down, Bound::AtLeast(_)) => {
                table.mistake("at_least", format!("less {metric} is better; say at_most"));
            }
            _ => {}
        }
    }
    if closes {
        table.close();
    }
    Some(Goal { metric: metric?, bound: bound?, smallest_difference: None })
}

fn slice(table: &Table<'_>, aim: Option<Aim>) -> Option<Slice> {
    let by = table.line("by", 200);
    let min_rows = table.whole_or("min_rows", 200);
    let goal = goal(table, aim, false);
    table.close();
    Some(Slice { by: by?, goal: goal?, min_rows })
}

fn serving(table: &Table<'_>, target: Option<&Target>) -> Option<Serving> {
    let Some(serving) = table.optional_table("serving") else {
        let usual = Serving { p99_ms: 100.0, throughput_rps: 50.0, fallback: None };
        return (!table.has("serving")).then_some(usual);
    };
    let p99_ms = serving.number_in("p99_ms", 0.01, 60_000.0, Some(100.0));
    let throughput_rps = serving.number_in("throughput_rps", 0.01, 1e6, Some(50.0));
    let fallback = Fallback::read(&serving, target);
    serving.close();
    Some(Serving { p99_ms: p99_ms?, throughput_rps: throughput_rps?, fallback })
}

fn approvals(table: &Table<'_>) -> Option<Approvals> {
    let Some(approvals) = table.optional_table("approvals") else {
        return (!table.has("approvals")).then(|| Approvals {
            specification: 1,
            promotion: 1,
            specification_roles: Vec::new(),
            promotion_roles: Vec::new(),
            valid_for: None,
        });
    };
    let specification = approvals.number_in("specification", 1.0, 20.0, Some(1.0));
    let promotion = approvals.number_in("promotion", 1.0, 20.0, Some(1.0));
    let specification_roles = reviewing_roles(&approvals, "specification_roles", Action::ReviewProblem);
    let promotion_roles = reviewing_roles(&approvals, "promotion_roles", Action::ReviewModel);
    let valid_for = approvals.optional_span("valid_for");
    if valid_for.is_some_and(|span| span.seconds() < 3_600) {
        approvals.mistake("valid_for", "must be at least 1h: a sign-off that runs out sooner stops its own run");
    }
    approvals.close();
    let approvals = Approvals {
        specification: specification? as u32,
        promotion: promotion? as u32,
        specification_roles,
        promotion_roles,
        valid_for,
    };
    for (key, needed, roles) in [
        ("specification", approvals.specification, &approvals.specification_roles),
        ("promotion", approvals.promotion, &approvals.promotion_roles),
    ] {
        if roles.len() > needed as usize {
            table.mistake("approvals", format!("{key} = {needed} is fewer than its {} roles", roles.len()));
        }
    }
    Some(approvals)
}

/// Roles that may do the reviewing, each once.
fn reviewing_roles(table: &Table<'_>, key: &'static str, action: Action) -> Vec<Role> {
    let mut roles = Vec::new();
    for word in table.optional_texts(key).unwrap_or_default() {
        match word.parse::<Role>() {
            Ok(role) if action.roles().contains(&role) && !roles.contains(&role) => roles.push(role),
            Ok(role) if roles.contains(&role) => table.mistake(key, format!("{role} stands twice")),
            _ => {
                let may: Vec<&str> = action.roles().iter().map(|role| role.as_str()).collect();
                table.mistake(key, format!("{word:?} may not {}; {} may", action.title(), may.join(" and ")));
            }
        }
    }
    roles
}
