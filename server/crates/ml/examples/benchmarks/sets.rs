//! The sets, and how each becomes features, labels and parts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use millrace_domain::metric::{Direction, Metric, TargetKind};
use millrace_domain::problem::ProblemDocument;
use millrace_ml::Dataset;
use millrace_ml::features::{FeaturePlan, FeatureTable, Labels};
use millrace_ml::join::{History, Sources};
use millrace_ml::read::{ReadOptions, read};
use millrace_ml::split::Split;

use crate::support::file;

/// A file by its name and its bytes; none when the data is not on this machine.
type Source = fn() -> Option<(String, Vec<u8>)>;

/// A set with the numbers of scikit-learn 1.9.1 on the same rows: HistGradientBoosting, then logistic regression (ridge for numbers).
pub struct Set {
    pub name: &'static str,
    pub protocol: &'static str,
    data: Source,
    tables: Vec<(&'static str, Source)>,
    /// The document but for its features.
    document: &'static str,
    /// Columns that are no features.
    without: &'static [&'static str],
    /// Features by name, type and expression, besides the columns.
    besides: &'static [(&'static str, &'static str, &'static str)],
    pub metric: Metric,
    pub theirs: (f64, Option<f64>),
}

fn at(path: &'static str) -> Option<(String, Vec<u8>)> {
    Some((path.to_owned(), file(path)?))
}

/// All of them.
pub fn sets() -> Vec<Set> {
    let set = |name, protocol, data, document, without, metric, theirs| Set {
        name,
        protocol,
        data,
        tables: Vec::new(),
        document,
        without,
        besides: &[],
        metric,
        theirs,
    };
    vec![
        Set {
            besides: &[("start", "number", "epoch(trip_start_timestamp)")],
            ..set(
                "Chicago taxi: big tip",
                "by time, 10,001 / 5,001",
                || at("tfx_chicago_taxi/data.csv"),
                "target = { name = \"y\", kind = \"binary\", expression = \"tips > fare * 0.2\" }\n\
                 data = { event_time = \"trip_start_timestamp\", time_format = \"unix_s\",\n\
                 split = { kind = \"time\", validation = 0.1, test = 0.3333333 } }",
                &["tips", "pickup_census_tract", "trip_start_timestamp"],
                Metric::RocAuc,
                (0.940, Some(0.926)),
            )
        },
        set(
            "Adult: income",
            "at random, 32,561 / 16,281",
            || at("evidently_adult/adults.parquet"),
            "target = { name = \"y\", kind = \"binary\", column = \"class\" }\n\
             data = { split = { kind = \"random\", validation = 0.1, test = 0.33334, seed = 0 } }",
            &["class"],
            Metric::RocAuc,
            (0.927, Some(0.905)),
        ),
        set(
            "Credit default",
            "at random, 21,000 / 9,000",
            || at("credit_default/UCI_Credit_Card.csv.gz"),
            "target = { name = \"y\", kind = \"binary\", expression = '\"default.payment.next.month\" = 1' }\n\
             data = { split = { kind = \"random\", validation = 0.1, test = 0.3, seed = 0 } }",
            &["ID", "default.payment.next.month"],
            Metric::RocAuc,
            (0.776, Some(0.715)),
        ),
        set(
            "Telco churn",
            "at random, 4,930 / 2,113",
            || at("telco_churn/Telco-Customer-Churn.csv"),
            "target = { name = \"y\", kind = \"binary\", column = \"Churn\" }\n\
             data = { csv = { missing = [\" \"] }, split = { kind = \"random\", validation = 0.1, test = 0.3, seed = 0 } }",
            &["customerID", "Churn"],
            Metric::RocAuc,
            (0.834, Some(0.846)),
        ),
        set(
            "Bank marketing, without `duration`",
            "by time, 28,831 / 12,357",
            || at("bank_marketing/bank-additional-full.csv.gz"),
            "target = { name = \"y\", kind = \"binary\", column = \"y\" }\n\
             data = { split = { kind = \"time\", validation = 0.0, test = 0.3 } }",
            &["y", "duration"],
            Metric::RocAuc,
            (0.656, Some(0.667)),
        ),
        Set {
            tables: vec![("weather", weather), ("planes", planes)],
            besides: &[
                ("temp", "number", "weather.temp"),
                ("dewp", "number", "weather.dewp"),
                ("humid", "number", "weather.humid"),
                ("wind_dir", "number", "weather.wind_dir"),
                ("wind_speed", "number", "weather.wind_speed"),
                ("wind_gust", "number", "weather.wind_gust"),
                ("precip", "number", "weather.precip"),
                ("pressure", "number", "weather.pressure"),
                ("visib", "number", "weather.visib"),
                ("built", "number", "planes.year"),
                ("maker", "category", "planes.manufacturer"),
                ("model", "category", "planes.model"),
                ("engines", "number", "planes.engines"),
                ("seats", "number", "planes.seats"),
            ],
            ..set(
                "Flights from New York: 30 minutes late, with weather and planes joined",
                "January to September / October to December, 24,402 / 8,333",
                flights,
                "target = { name = \"y\", kind = \"binary\", expression = \"arr_delay > 30\" }\n\
                 data = { event_time = \"at\", csv = { missing = [\"NA\"] },\n\
                 split = { kind = \"time\", validation = 0.1, test = 0.254559 } }\n\
                 tables = [\n\
                 { name = \"weather\", key = \"origin\", event_time = \"at\", csv = { missing = [\"NA\"] } },\n\
                 { name = \"planes\", key = \"tailnum\", event_time = \"at\", csv = { missing = [\"NA\"] } }]\n\
                 lookups = [{ table = \"weather\", time_to_live = \"6h\" }, { table = \"planes\", time_to_live = \"9999d\" }]",
                &[
                    "rownames",
                    "year",
                    "dep_time",
                    "dep_delay",
                    "arr_time",
                    "arr_delay",
                    "tailnum",
                    "flight",
                    "air_time",
                    "minute",
                    "at",
                ],
                Metric::RocAuc,
                (0.768, Some(0.749)),
            )
        },
        Set {
            tables: vec![("zipcodes", || at("feast_credit_scoring/zipcode_table.parquet"))],
            besides: &[
                ("city", "category", "zipcodes.city"),
                ("state", "category", "zipcodes.state"),
                ("location", "category", "zipcodes.location_type"),
                ("returns", "number", "zipcodes.tax_returns_filed"),
                ("people", "number", "zipcodes.population"),
                ("wages", "number", "zipcodes.total_wages"),
            ],
            ..set(
                "Feast's loans, with zip codes joined",
                "by time, 20,046 / 8,592",
                || at("feast_credit_scoring/loan_table.parquet"),
                "target = { name = \"y\", kind = \"binary\", expression = \"loan_status = 1\" }\n\
                 data = { event_time = \"event_timestamp\", split = { kind = \"time\", validation = 0.0, test = 0.3 } }\n\
                 tables = [{ name = \"zipcodes\", key = \"zipcode\", event_time = \"event_timestamp\" }]\n\
                 lookups = [{ table = \"zipcodes\", time_to_live = \"3650d\" }]",
                &["loan_id", "dob_ssn", "loan_status", "event_timestamp", "created_timestamp"],
                Metric::RocAuc,
                (0.929, Some(0.825)),
            )
        },
        set(
            "Bike sharing: rentals an hour",
            "2011 / 2012, 8,645 / 8,734 (a test part is at most half)",
            || at("evidently_bike_sharing/hour.csv"),
            "target = { name = \"y\", kind = \"regression\", column = \"cnt\" }\n\
             data = { split = { kind = \"time\", validation = 0.0, test = 0.5 } }",
            &["instant", "dteday", "yr", "casual", "registered", "cnt"],
            Metric::Rmse,
            (125.1, Some(192.3)),
        ),
        set(
            "White wine: grade",
            "at random, 3,673 / 1,225",
            || at("mlflow_wine/wine-quality.csv"),
            "target = { name = \"y\", kind = \"regression\", column = \"quality\" }\n\
             data = { split = { kind = \"random\", validation = 0.1, test = 0.25, seed = 40 } }",
            &["quality"],
            Metric::Rmse,
            (0.626, Some(0.743)),
        ),
    ]
}

/// Flights with the time they were to leave at as a column.
fn flights() -> Option<(String, Vec<u8>)> {
    stamped("nycflights13/flights_sample.csv", |cell| {
        let of = |name: &str| cell(name).parse::<u32>().ok();
        Some(format!("2013-{:02}-{:02}T{:02}:00:00Z", of("month")?, of("day")?, of("hour")? % 24))
    })
}

/// Readings, which are known when they are made. The hour of a flight is local, and so is that of a reading.
fn weather() -> Option<(String, Vec<u8>)> {
    stamped("nycflights13/weather.csv", |cell| {
        let of = |name: &str| cell(name).parse::<u32>().ok();
        Some(format!("2013-{:02}-{:02}T{:02}:00:00Z", of("month")?, of("day")?, of("hour")?))
    })
}

/// Planes, known from before all flights on.
fn planes() -> Option<(String, Vec<u8>)> {
    stamped("nycflights13/planes.csv", |_| Some("2000-01-01T00:00:00Z".to_owned()))
}

/// A file without quotes, with a column `at` more.
fn stamped(path: &'static str, time: impl Fn(&dyn Fn(&str) -> String) -> Option<String>) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8(file(path)?).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next()?.split(',').collect();
    let mut out = format!("{},at\n", names.join(","));
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |name: &str| names.iter().position(|own| *own == name).map_or("", |place| cells[place]).to_owned();
        writeln!(out, "{line},{}", time(&cell)?).unwrap();
    }
    Some((path.to_owned(), out.into_bytes()))
}

/// A set whose features are made.
pub struct Ready {
    pub kind: TargetKind,
    pub table: FeatureTable,
    pub labels: Labels,
    pub split: Split,
}

/// Reads it; none when the data is not on this machine.
pub fn ready(set: &Set) -> Option<Ready> {
    let (name, bytes) = (set.data)()?;
    // Which columns there are is known once they are read, which the document says how to.
    let draft = document(set, &[besides(set), vec![("draft".to_owned(), "number", "0".to_owned())]].concat());
    let rows = Arc::new(read(&bytes, &name, &ReadOptions::of(&draft.data)).unwrap().dataset);
    let mut tables = BTreeMap::new();
    for (table, source) in &set.tables {
        let (name, bytes) = source()?;
        let options = ReadOptions::of_table(draft.table(table).unwrap());
        tables.insert((*table).to_owned(), Arc::new(read(&bytes, &name, &options).unwrap().dataset));
    }
    let sources = Sources { own: Some(Arc::clone(&rows)), tables };
    let document = document(set, &features(set, &rows));
    let plan = FeaturePlan::compile(&document, rows.schema(), &sources.table_columns()).unwrap();
    let dataset = History::new(plan.joins(), &sources).unwrap().join(&rows).unwrap();
    let (table, labels) = (plan.table(&dataset).unwrap(), plan.labels(&dataset).unwrap());
    let split = Split::new(&document.data.split, &dataset, document.data.event_time.as_deref(), &labels).unwrap();
    Some(Ready { kind: plan.kind(), table, labels, split })
}

/// The document with those features: name, type and expression.
fn document(set: &Set, features: &[(String, &str, String)]) -> ProblemDocument {
    let bound = match set.metric.direction() {
        Direction::Up => "at_least = 0.5",
        Direction::Down => "at_most = 1000",
    };
    let mut text = format!(
        "slug = \"set\"\ntitle = \"Set\"\ndecision = \"None\"\n{}\nsuccess = {{ metric = \"{}\", {bound} }}\n",
        set.document, set.metric
    );
    for (name, kind, expression) in features {
        writeln!(
            text,
            "[[features]]\nname = \"{name}\"\ntype = \"{kind}\"\nexpression = '{expression}'\nnullable = true\nmax_null_share = 1.0"
        )
        .unwrap();
    }
    ProblemDocument::parse(&text).unwrap_or_else(|mistakes| panic!("{}: {mistakes:?}", set.name))
}

/// Every column that is one, texts as categories, and what is told besides.
fn features(set: &Set, rows: &Dataset) -> Vec<(String, &'static str, String)> {
    let columns = rows.schema().iter().filter(|column| !set.without.contains(&column.name.as_str()));
    let own = columns.map(|column| {
        let name: String =
            column.name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
        let kind = if column.column_type.as_str() == "text" { "category" } else { "number" };
        (name, kind, format!("\"{}\"", column.name))
    });
    own.chain(besides(set)).collect()
}

/// What a set is told besides its columns.
fn besides(set: &Set) -> Vec<(String, &'static str, String)> {
    let besides = set.besides.iter();
    besides.map(|(name, kind, expression)| ((*name).to_owned(), *kind, (*expression).to_owned())).collect()
}
