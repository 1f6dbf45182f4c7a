//! Where a dataset's rows come from by themselves.
//!
//! A *connection* is a place that whoever runs the server has named; a document can only choose among them, so no document
//! reaches anything else. What is looked up there, and how often, is part of what people sign.

use serde::{Deserialize, Serialize};

use super::Span;

/// What feeds a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The dataset, or the table, that it feeds.
    pub dataset: String,
    /// Name of the connection.
    pub connection: String,
    /// What is read there.
    #[serde(flatten)]
    pub read: SourceRead,
    /// How often it is looked at; a new version is loaded when it has changed.
    pub every: Span,
    /// Whether every file is taken in once, in the order of their names, its rows after those of the files before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub append: bool,
}

/// What is read at a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceRead {
    /// A file below the connection's place. A `*` in its last part stands for any text; of several files the last by name is
    /// read, or, where files are appended, one after the other.
    Path(String),
    /// The rows of a query.
    Query(String),
}

impl SourceRead {
    /// The path or the query.
    pub fn text(&self) -> &str {
        match self {
            Self::Path(text) | Self::Query(text) => text,
        }
    }
}

#[cfg(feature = "parse")]
pub(in crate::problem) mod read {
    use sqlparser::ast::{SetExpr, Statement};
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::{Source, SourceRead};
    use crate::problem::Span;
    use crate::problem::walk::Table;

    /// More than this are refused.
    const MOST_SOURCES: usize = 50;
    /// Sources are not looked at more often.
    const SHORTEST: Span = Span::of_seconds(5);

    /// The sources of a document.
    pub(in crate::problem) fn sources(table: &Table<'_>) -> Vec<Source> {
        let tables = table.tables("sources");
        if tables.len() > MOST_SOURCES {
            table.mistake("sources", format!("are {}; at most {MOST_SOURCES} are allowed", tables.len()));
            return Vec::new();
        }
        let mut sources: Vec<Source> = Vec::with_capacity(tables.len());
        for table in &tables {
            let Some(source) = source(table) else { continue };
            if sources.iter().any(|other| other.dataset == source.dataset) {
                table.mistake("dataset", format!("{:?} is fed by another source already", source.dataset));
            }
            sources.push(source);
        }
        sources
    }

    fn source(table: &Table<'_>) -> Option<Source> {
        let dataset = table.line("dataset", 100);
        let connection = table.line("connection", 63);
        let read = match (table.has("path"), table.has("query")) {
            (true, false) => path(table).map(SourceRead::Path),
            (false, true) => query(table).map(SourceRead::Query),
            _ => {
                table.mistake("path", "say either path or query");
                None
            }
        };
        let every = table.span_or("every", "1h");
        if every.is_some_and(|every| every < SHORTEST) {
            table.mistake("every", format!("must be at least {SHORTEST}"));
        }
        let append = table.truth_or("append", false);
        if append && !matches!(&read, Some(SourceRead::Path(path)) if path.contains('*')) {
            table.mistake(
                "append",
                "needs a path with a *: files that come one after the other, in the order of their names",
            );
        }
        table.close();
        Some(Source { dataset: dataset?, connection: connection?, read: read?, every: every?, append })
    }

    /// A path that cannot leave the connection's place.
    fn path(table: &Table<'_>) -> Option<String> {
        let path = table.line("path", 500)?;
        let parts: Vec<&str> = path.split('/').collect();
        let stays = parts.iter().all(|part| !matches!(*part, "" | "." | "..")) && !path.contains('\\');
        if !stays {
            table.mistake("path", "must be a path below the connection's place, without . and ..");
            return None;
        }
        if parts.iter().rev().skip(1).any(|part| part.contains('*')) || path.matches('*').count() > 1 {
            table.mistake("path", "may have one * in its last part");
            return None;
        }
        Some(path)
    }

    /// One query, as the parser writes it: what is sent is what was understood.
    pub(in crate::problem) fn query(table: &Table<'_>) -> Option<String> {
        let text = table.text("query")?;
        if text.len() > 20_000 {
            table.mistake("query", "must be at most 20,000 characters");
            return None;
        }
        let read = Parser::new(&PostgreSqlDialect {}).with_recursion_limit(50).try_with_sql(text);
        let statements = read.and_then(|mut parser| parser.parse_statements());
        match statements.as_deref() {
            Ok([Statement::Query(query)])
                if matches!(
                    query.body.as_ref(),
                    SetExpr::Select(_) | SetExpr::SetOperation { .. } | SetExpr::Query(_)
                ) =>
            {
                Some(query.to_string())
            }
            Ok(_) => {
                table.mistake("query", "must be one SELECT");
                None
            }
            Err(error) => {
                table.mistake("query", format!("is not SQL: {error}"));
                None
            }
        }
    }
}

#[cfg(feature = "parse")]
pub(super) use read::sources;

#[cfg(all(test, feature = "parse"))]
mod tests {
    use crate::problem::{Mistake, ProblemDocument};

    fn read(source: &str) -> Result<ProblemDocument, Vec<Mistake>> {
        ProblemDocument::parse(&format!(
            "slug = \"trips\"\ntitle = \"T\"\ndecision = \"D\"\ntarget = {{ name = \"y\", kind = \"binary\", column = \"y\" }}\n\
             data = {{ split = {{ kind = \"random\", validation = 0.2, test = 0.2, seed = 1 }} }}\n\
             success = {{ metric = \"roc_auc\", at_least = 0.6 }}\nfeatures = [{{ name = \"x\" }}]\n\
             [[sources]]\ndataset = \"data\"\nconnection = \"landing\"\n{source}"
        ))
    }

    fn pointer(source: &str) -> String {
        read(source).expect_err("the source is mistaken").remove(0).pointer
    }

    #[test]
    fn a_source_is_written_back_as_it_was_read() {
        for source in [
            "path = \"orders/*.csv\"\nevery = \"6h\"",
            "path = \"a-*.csv\"\nappend = true",
            "query = \"select a, b from t where c > 1\"",
        ] {
            let document = read(source).unwrap();
            assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document));
        }
    }

    #[test]
    fn a_path_cannot_leave_the_connections_place() {
        for path in ["../x.csv", "/etc/passwd", "a/../../x", "a//b", "./a", "a\\\\..\\\\b", "*/a.csv", "a*b*.csv"] {
            assert_eq!(pointer(&format!("path = \"{path}\"")), "/sources/0/path", "{path}");
        }
    }

    #[test]
    fn a_query_is_one_select_and_cannot_break_out() {
        for query in [
            "delete from t",
            "select 1; select 2",
            "select 1) to program 'sh' --",
            "copy t to stdout",
            "insert into t values (1) returning *",
        ] {
            assert_eq!(pointer(&format!("query = \"{query}\"")), "/sources/0/query", "{query}");
        }
        // A comment does not survive: what is sent is written by the parser.
        let document = read("query = \"select 1 -- )\"").unwrap();
        assert_eq!(document.sources[0].read.text(), "SELECT 1");
    }

    #[test]
    fn either_a_path_or_a_query_and_not_too_often() {
        assert_eq!(pointer(""), "/sources/0/path");
        assert_eq!(pointer("path = \"a\"\nquery = \"select 1\""), "/sources/0/path");
        assert_eq!(pointer("path = \"a\"\nevery = \"1s\""), "/sources/0/every");
        assert_eq!(pointer("path = \"a\"\nappend = true"), "/sources/0/append");
        assert_eq!(pointer("query = \"select 1\"\nappend = true"), "/sources/0/append");
    }
}
