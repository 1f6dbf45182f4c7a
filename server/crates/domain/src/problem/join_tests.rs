use crate::problem::{AggregateFunction, Mistake, ProblemDocument};

fn read(joins: &str) -> Result<ProblemDocument, Vec<Mistake>> {
    ProblemDocument::parse(&format!(
        "slug = \"trips\"\ntitle = \"T\"\ndecision = \"D\"\ntarget = {{ name = \"y\", kind = \"binary\", column = \"y\", delay = \"1d\" }}\n\
         data = {{ event_time = \"at\", split = {{ kind = \"time\", validation = 0.2, test = 0.2 }} }}\n\
         success = {{ metric = \"roc_auc\", at_least = 0.6 }}\n{joins}"
    ))
}

fn mistakes(joins: &str) -> Vec<String> {
    read(joins).expect_err("the joins are mistaken").into_iter().map(|mistake| mistake.pointer).collect()
}

const TABLE: &str = "[[tables]]\nname = \"zips\"\nkey = \"zip\"\nevent_time = \"from\"\nknown_time = \"entered\"\n";
const FEATURE: &str = "[[features]]\nname = \"people\"\nexpression = \"zips.population / 1000\"\nnullable = true\n";

#[test]
fn joins_are_written_back_as_they_were_read() {
    let text = format!(
        "{TABLE}{FEATURE}[[lookups]]\ntable = \"zips\"\ntime_to_live = \"30d\"\n\
         [[aggregates]]\nname = \"trips_7d\"\nover = [\"company\", \"zip\"]\nfunction = \"count\"\nwindow = \"7d\"\n\
         [[aggregates]]\nname = \"fare_1h\"\nover = \"company\"\nfunction = \"mean\"\nof = \"fare + tips\"\nwindow = \"1h\"\n"
    );
    let document = read(&text).unwrap();
    assert_eq!(document.lookups[0].name, "zips");
    assert_eq!(document.lookups[0].on, ["zip"]);
    assert_eq!(document.aggregates[1].function, AggregateFunction::Mean);
    assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document));
}

#[test]
fn an_aggregate_that_no_feature_reads_is_a_feature_by_itself() {
    let aggregate = "[[aggregates]]\nname = \"n\"\nover = \"c\"\nfunction = \"count\"\nwindow = \"7d\"\n";
    let alone = read(aggregate).unwrap();
    assert_eq!(alone.features[0].name, "n");
    let read_by = read(&format!("[[features]]\nname = \"l\"\nexpression = \"ln(1 + n)\"\n{aggregate}")).unwrap();
    assert_eq!(read_by.features.len(), 1);
}

#[test]
fn every_mistake_of_a_join_is_named() {
    let aggregate = |rest: &str| format!("[[aggregates]]\nname = \"n\"\nover = \"c\"\n{rest}");
    assert_eq!(mistakes(&aggregate("function = \"sum\"\nwindow = \"7d\"")), ["/aggregates/0/of"]);
    assert_eq!(mistakes(&aggregate("function = \"count\"\nof = \"x\"\nwindow = \"7d\"")), ["/aggregates/0/of"]);
    assert_eq!(mistakes(&aggregate("function = \"mode\"\nwindow = \"0s\"")).len(), 2);
    assert_eq!(mistakes(&aggregate("function = \"count\"")), ["/aggregates/0/window"]);
    assert_eq!(
        mistakes(&format!("{FEATURE}[[lookups]]\ntable = \"zip\"\non = \"zip\"\n{TABLE}")),
        ["/lookups/0/table"]
    );
    assert_eq!(
        mistakes(&format!("{TABLE}{FEATURE}[[lookups]]\ntable = \"zips\"\non = [\"a\", \"b\"]\n")),
        ["/lookups/0/on"]
    );
    let unread = format!("{TABLE}[[lookups]]\ntable = \"zips\"\n[[features]]\nname = \"x\"\n");
    assert_eq!(mistakes(&unread), ["/lookups/0/name"]);
    let timeless = TABLE.replace("event_time = \"from\"\n", "");
    assert_eq!(mistakes(&format!("{timeless}[[features]]\nname = \"x\"\n")), ["/tables/0/known_time"]);
    assert_eq!(mistakes(&TABLE.replace("zips", "Select")).first().map(String::as_str), Some("/tables/0/name"));
}

#[test]
fn a_label_is_not_joined() {
    let text = "[[aggregates]]\nname = \"y\"\nover = \"c\"\nfunction = \"count\"\nwindow = \"7d\"\n";
    assert_eq!(mistakes(text), ["/target/column"]);
}

#[test]
fn joins_change_the_digest_of_features() {
    let aggregate =
        "[[features]]\nname = \"n\"\n[[aggregates]]\nname = \"n\"\nover = \"c\"\nfunction = \"count\"\nwindow = ";
    let week = read(&format!("{aggregate}\"7d\"")).unwrap();
    let day = read(&format!("{aggregate}\"1d\"")).unwrap();
    assert_ne!(week.feature_digest(), day.feature_digest());
}
