//! From a document's lookups and aggregates to joins.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain::expr::Expression;
use millrace_domain::problem::{Aggregate, AggregateFunction, Lookup, Mistake, ProblemDocument, SourceTable};
use millrace_domain::schema::{Column, ColumnType, ValueType};

use super::{BoundAggregate, BoundLookup, Joins};

/// Name and type of the columns of each table.
pub type TableColumns<'a> = BTreeMap<&'a str, &'a [Column]>;

impl Joins {
    /// Binds the document's lookups and aggregates to the columns of the data and of the tables.
    ///
    /// # Errors
    /// Every mistake at once, each with its pointer into the document.
    pub fn compile(
        document: &ProblemDocument,
        columns: &[Column],
        tables: &TableColumns<'_>,
    ) -> Result<Self, Vec<Mistake>> {
        let binder = Binder { document, columns, tables, mistakes: Vec::new() };
        binder.bind()
    }
}

struct Binder<'a> {
    document: &'a ProblemDocument,
    columns: &'a [Column],
    tables: &'a TableColumns<'a>,
    mistakes: Vec<Mistake>,
}

impl Binder<'_> {
    fn bind(mut self) -> Result<Joins, Vec<Mistake>> {
        let document = self.document;
        let named = document.joined_tables();
        let tables: Vec<SourceTable> =
            document.tables.iter().filter(|table| named.contains(&table.name.as_str())).cloned().collect();
        for table in &tables {
            self.table(table);
        }
        let lookups = document.lookups.iter().enumerate().map(|(place, lookup)| self.lookup(place, lookup)).collect();
        let aggregates =
            document.aggregates.iter().enumerate().map(|(place, aggregate)| self.aggregate(place, aggregate)).collect();
        let joins = Joins {
            event_time: document.data.event_time.clone(),
            time_format: Some(document.data.time_format),
            known_time: document.data.known_time.clone(),
            tables,
            lookups,
            aggregates,
        };
        let own: BTreeSet<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        for column in joins.columns().iter().filter(|column| own.contains(column.name.as_str())) {
            let message = format!("{:?} is joined, and a column of the data as well; rename the join", column.name);
            self.mistakes.push(Mistake { pointer: String::new(), message });
        }
        if self.mistakes.is_empty() {
            Ok(if joins.is_empty() { Joins::default() } else { joins })
        } else {
            Err(self.mistakes)
        }
    }

    fn note(&mut self, pointer: String, message: String) {
        self.mistakes.push(Mistake { pointer, message });
    }

    fn table(&mut self, table: &SourceTable) {
        let place = self.document.tables.iter().position(|other| other.name == table.name).unwrap_or(0);
        let Some(columns) = self.tables.get(table.name.as_str()) else {
            return self.note(format!("/tables/{place}"), format!("there is no dataset {:?} yet", table.name));
        };
        for name in &table.key {
            if type_of(columns, name).is_none() {
                self.note(format!("/tables/{place}/key"), format!("{} has no column {name:?}", table.name));
            }
        }
        for (key, name) in [("event_time", &table.event_time), ("known_time", &table.known_time)] {
            let Some(name) = name else { continue };
            match type_of(columns, name) {
                Some(ColumnType::Time) => {}
                Some(other) => {
                    self.note(
                        format!("/tables/{place}/{key}"),
                        format!("{name:?} of {} is {other}, no time", table.name),
                    );
                }
                None => self.note(format!("/tables/{place}/{key}"), format!("{} has no column {name:?}", table.name)),
            }
        }
    }

    /// Whether the row's columns are there and of the key's types.
    fn key(&mut self, pointer: &str, columns: &[String], table: Option<&str>) {
        let source = table.and_then(|name| self.document.table(name));
        for (position, name) in columns.iter().enumerate() {
            let Some(here) = type_of(self.columns, name) else {
                self.note(pointer.to_owned(), format!("the data has no column {name:?}"));
                continue;
            };
            let there = source.and_then(|source| {
                let columns = self.tables.get(source.name.as_str())?;
                type_of(columns, source.key.get(position)?)
            });
            if let Some(there) = there
                && there.value_type() != here.value_type()
            {
                let table = table.unwrap_or_default();
                self.note(
                    pointer.to_owned(),
                    format!("{name:?} is {here} here and {there} in {table}; they never meet"),
                );
            }
        }
    }

    fn lookup(&mut self, place: usize, lookup: &Lookup) -> BoundLookup {
        self.key(&format!("/lookups/{place}/on"), &lookup.on, Some(&lookup.table));
        let features = self.document.features.iter().map(|feature| &feature.expression);
        let read =
            features.flat_map(Expression::columns).chain(self.document.slices.iter().map(|slice| slice.by.as_str()));
        let names: BTreeSet<&str> = read.filter_map(|name| lookup.column(name)).collect();
        let mut columns = Vec::with_capacity(names.len());
        let there = self.tables.get(lookup.table.as_str()).copied();
        for name in names {
            let Some(there) = there else { continue };
            match there.iter().find(|column| column.name == name) {
                Some(column) => columns.push(column.clone()),
                None => {
                    let known: Vec<&str> = there.iter().map(|column| column.name.as_str()).collect();
                    let message = format!("{} has no column {name:?}; it has {}", lookup.table, known.join(", "));
                    self.note(format!("/lookups/{place}"), message);
                }
            }
        }
        BoundLookup { lookup: lookup.clone(), columns }
    }

    fn aggregate(&mut self, place: usize, aggregate: &Aggregate) -> BoundAggregate {
        self.key(&format!("/aggregates/{place}/over"), &aggregate.over, aggregate.table.as_deref());
        let columns = match &aggregate.table {
            Some(table) => self.tables.get(table.as_str()).copied(),
            None => Some(self.columns),
        };
        if let (Some(of), Some(columns)) = (&aggregate.of, columns) {
            let bound = of.bind(columns).map_err(|error| error.to_string());
            let fits = bound.and_then(|bound| match (bound.value_type(), aggregate.function) {
                (ValueType::Number | ValueType::Boolean, _) | (ValueType::Text, AggregateFunction::Distinct) => Ok(()),
                (found, AggregateFunction::Distinct) => {
                    Err(format!("gives a {found}; distinct counts numbers and texts"))
                }
                (found, function) => Err(format!("gives a {found}, but {} is of numbers", function.as_str())),
            });
            if let Err(message) = fits {
                self.note(format!("/aggregates/{place}/of"), message);
            }
        }
        let delay = aggregate.reads_label(self.document).then_some(self.document.target.delay);
        BoundAggregate { aggregate: aggregate.clone(), delay }
    }
}

fn type_of(columns: &[Column], name: &str) -> Option<ColumnType> {
    columns.iter().find(|column| column.name == name).map(|column| column.column_type)
}
