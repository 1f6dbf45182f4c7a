//! The rows that joins draw from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use millrace_domain::expr::{Bound, Row};
use millrace_domain::problem::SourceTable;
use millrace_domain::schema::{Column, Value};
use rayon::prelude::*;

use super::keys::{Keys, Part};
use super::timeline::{SIDE_BY_SIDE, Timeline};
use super::window::{Rule, Window};
use super::{BoundAggregate, BoundLookup, JoinError, Joins};
use crate::dataset::{Cells, ColumnData, Dataset};
use crate::order::key_of;

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// What joins draw from: the data's own earlier rows, and tables by name.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Rows of the data itself.
    pub own: Option<Arc<Dataset>>,
    /// Tables.
    pub tables: BTreeMap<String, Arc<Dataset>>,
}

impl Sources {
    /// Name and type of the columns of each table.
    pub fn table_columns(&self) -> super::TableColumns<'_> {
        self.tables.iter().map(|(name, dataset)| (name.as_str(), dataset.schema())).collect()
    }
}

/// The rows that joins draw from, by key and in order of time.
#[derive(Debug)]
pub struct History {
    joins: Joins,
    lookups: Vec<LookedUp>,
    groups: Vec<Group>,
    /// The newest event of the data's own rows.
    loaded_until: i64,
}

/// A cell that a row is joined to.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinedCell {
    /// What it holds.
    pub value: Value<'static>,
    /// The event time of the newest row it was made of, in microseconds since 1970-01-01 UTC; none where it was made of no row, or of
    /// one that holds always.
    pub as_of: Option<i64>,
}

#[derive(Debug)]
struct LookedUp {
    table: Arc<Dataset>,
    timeline: Arc<Timeline>,
    /// Slots of the columns that are read.
    slots: Vec<usize>,
    /// Slot of the time of its rows; none where they hold always.
    event_time: Option<usize>,
    time_to_live: Option<i64>,
}

/// Aggregates over the same rows by the same key.
#[derive(Debug)]
struct Group {
    over: Vec<String>,
    is_own: bool,
    timeline: Arc<Timeline>,
    members: Vec<Member>,
    /// Rows that came after the source was loaded, of each key in order of event time.
    live: HashMap<u32, Vec<Event>, FixedState>,
    live_keys: Keys,
    lived: u32,
}

#[derive(Debug)]
struct Member {
    /// Its position among all aggregates.
    position: usize,
    rule: Rule,
    /// Of each row of the source, the key of its number or text; a count has none.
    values: Option<Vec<Option<i64>>>,
    /// What it is of, over the columns of a request; none where requests do not have it.
    of_request: Option<(Bound, Vec<String>)>,
    is_count: bool,
    texts: Keys,
}

/// A row that came after the source was loaded.
#[derive(Debug, Clone)]
struct Event {
    time: i64,
    place: u32,
    /// Of each member.
    values: Box<[Option<i64>]>,
}

impl History {
    /// The rows of `sources`, as joins read them.
    ///
    /// # Errors
    /// When a table or a column that joins read is not there.
    pub fn new(joins: &Joins, sources: &Sources) -> Result<Self, JoinError> {
        let mut builder = Builder { joins, sources, timelines: BTreeMap::new() };
        let lookups = joins.lookups.iter().map(|bound| builder.lookup(bound)).collect::<Result<_, _>>()?;
        let mut groups: Vec<(Option<&str>, Group)> = Vec::new();
        for (position, bound) in joins.aggregates.iter().enumerate() {
            let table = bound.aggregate.table.as_deref();
            let (member, timeline) = builder.member(position, bound)?;
            match groups.iter_mut().find(|(other, group)| *other == table && group.over == bound.aggregate.over) {
                Some((_, group)) => group.members.push(member),
                None => {
                    let over = bound.aggregate.over.clone();
                    groups.push((table, Group::new(over, table.is_none(), timeline, member)));
                }
            }
        }
        let groups = groups.into_iter().map(|(_, group)| group).collect();
        let own = sources.own.as_ref().zip(joins.event_time.as_ref());
        let times = own.and_then(|(own, name)| Some(own.cells(own.slot(name)?)));
        let loaded_until = match times {
            Some(Cells::Time(times)) => times.non_null_values_iter().max().unwrap_or(i64::MIN),
            _ => i64::MIN,
        };
        Ok(Self { joins: joins.clone(), lookups, groups, loaded_until })
    }

    /// What it was made for.
    pub const fn joins(&self) -> &Joins {
        &self.joins
    }

    /// The newest event of the data's own rows, in microseconds since 1970-01-01 UTC; far in the past when there is none.
    pub const fn loaded_until(&self) -> i64 {
        self.loaded_until
    }

    /// Rows that were remembered since the sources were loaded.
    pub fn remembered(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.lived)).sum()
    }

    /// The dataset with the joined columns added, each row as of its own time.
    ///
    /// # Errors
    /// When the dataset lacks a column that joins read.
    pub fn join(&self, dataset: &Dataset) -> Result<Dataset, JoinError> {
        let times = match &self.joins.event_time {
            Some(name) => Some(dataset.cells(slots_of(dataset, std::slice::from_ref(name), "the data")?[0])),
            None => None,
        };
        self.joined(dataset, |row: usize| match times {
            Some(Cells::Time(times)) if times.validity().is_none_or(|known| known.get_bit(row)) => {
                Some(times.values()[row])
            }
            _ => None,
        })
    }

    /// The same, each row as of the time given for it.
    ///
    /// # Errors
    /// When the dataset lacks a column that joins read.
    pub(crate) fn join_at(&self, dataset: &Dataset, times: &[Option<i64>]) -> Result<Dataset, JoinError> {
        self.joined(dataset, |row| times[row])
    }

    fn joined(
        &self,
        dataset: &Dataset,
        time_of: impl Fn(usize) -> Option<i64> + Sync + Copy,
    ) -> Result<Dataset, JoinError> {
        let slots = |names: &[String]| slots_of(dataset, names, "the data");
        let mut aggregates: Vec<Option<Cells>> = vec![None; self.joins.aggregates.len()];
        for group in &self.groups {
            let key = slots(&group.over)?;
            for (position, numbers) in group.join(dataset, &key, time_of) {
                aggregates[position] = Some(numbers);
            }
        }
        let mut columns: Vec<Cells> = aggregates.into_iter().flatten().collect();
        for (bound, lookup) in self.joins.lookups.iter().zip(&self.lookups) {
            let rows = lookup.rows(dataset, &slots(&bound.lookup.on)?, time_of);
            let taken = lookup.slots.par_iter().map(|slot| lookup.table.cells(*slot).take_or_missing(&rows));
            columns.extend(taken.collect::<Vec<Cells>>());
        }
        let names = self.joins.columns().into_iter().map(|column| column.name);
        Ok(dataset.with_columns(names.zip(columns))?)
    }

    /// The joined cells of one row, whose key cells `part` gives by column, as of `time` in microseconds.
    pub(crate) fn row<'p>(&self, part: impl Fn(&str) -> Option<Part<'p>>, time: i64) -> Vec<JoinedCell> {
        let mut cells = vec![JoinedCell { value: Value::Null, as_of: None }; self.joins.aggregates.len()];
        for group in &self.groups {
            group.row(&part, time, &mut cells);
        }
        for (bound, lookup) in self.joins.lookups.iter().zip(&self.lookups) {
            let key = lookup.timeline.keys.find(bound.lookup.on.iter().map(|name| part(name)));
            let [row] = lookup.timeline.as_of([key.map(|key| (key, time))], lookup.time_to_live);
            let cell =
                |slot: usize| row.map_or(Value::Null, |row| lookup.table.cells(slot).value(row as usize).into_owned());
            let as_of = lookup.event_time.and_then(|slot| match cell(slot) {
                Value::Time(time) => Some(time),
                _ => None,
            });
            cells.extend(lookup.slots.iter().map(|slot| JoinedCell { value: cell(*slot), as_of }));
        }
        cells
    }

    /// Remembers a row that came after the sources were loaded, so that later rows of its entity see it. `cells` holds the
    /// columns of `schema`. Up to its newest event the load itself is the truth, and a row from then or before is not added.
    pub(crate) fn remember<'p>(
        &mut self,
        part: impl Fn(&str) -> Option<Part<'p>>,
        schema: &[Column],
        cells: &impl Row,
        time: i64,
    ) {
        if time <= self.loaded_until {
            return;
        }
        for group in self.groups.iter_mut().filter(|group| group.is_own) {
            let Some(key) = group.live_keys.enter(group.over.iter().map(|name| part(name))) else { continue };
            let values = group.members.iter_mut().map(|member| member.value_of(schema, cells)).collect();
            let events = group.live.entry(key).or_default();
            let event = Event { time, place: u32::MAX / 2 + group.lived, values };
            group.lived += 1;
            let position = events.partition_point(|other| other.time <= time);
            events.insert(position, event);
        }
    }
}

impl LookedUp {
    /// The row of the table that each row of the dataset finds; `u32::MAX` marks none.
    fn rows(&self, dataset: &Dataset, key: &[usize], time_of: impl Fn(usize) -> Option<i64> + Sync) -> Vec<u32> {
        let key: Vec<&Cells> = key.iter().map(|slot| dataset.cells(*slot)).collect();
        let asked = |row: usize| {
            let time = if self.event_time.is_none() { i64::MAX } else { time_of(row)? };
            Some((self.timeline.keys.find(key.iter().map(|cells| Part::of_cell(cells, row)))?, time))
        };
        let mut rows = vec![u32::MAX; dataset.rows()];
        rows.par_chunks_mut(SIDE_BY_SIDE).enumerate().for_each(|(chunk, rows)| {
            let mut lanes = [None; SIDE_BY_SIDE];
            for (lane, place) in lanes.iter_mut().zip(0..rows.len()) {
                *lane = asked(chunk * SIDE_BY_SIDE + place);
            }
            let found = self.timeline.as_of(lanes, self.time_to_live);
            for (row, found) in rows.iter_mut().zip(found) {
                *row = found.unwrap_or(u32::MAX);
            }
        });
        rows
    }
}

impl Group {
    fn new(over: Vec<String>, is_own: bool, timeline: Arc<Timeline>, member: Member) -> Self {
        let (live, live_keys) = (HashMap::default(), Keys::default());
        Self { over, is_own, timeline, members: vec![member], live, live_keys, lived: 0 }
    }

    /// Every aggregate of every row.
    fn join(
        &self,
        dataset: &Dataset,
        key: &[usize],
        time_of: impl Fn(usize) -> Option<i64> + Sync,
    ) -> Vec<(usize, Cells)> {
        let key: Vec<&Cells> = key.iter().map(|slot| dataset.cells(*slot)).collect();
        // A key that no source row has still has an empty window.
        const UNMET: u32 = u32::MAX;
        let mut asked: Vec<(u32, i64, u32)> = (0..dataset.rows())
            .into_par_iter()
            .filter_map(|row| {
                let parts = || key.iter().map(|cells| Part::of_cell(cells, row));
                let (time, known) = (time_of(row)?, parts().all(|part| part.is_some()));
                known.then(|| (self.timeline.keys.find(parts()).unwrap_or(UNMET), time, row as u32))
            })
            .collect();
        asked.par_sort_unstable();
        let times: Vec<i64> = asked.iter().map(|(_, time, _)| *time).collect();
        let runs: Vec<&[(u32, i64, u32)]> = asked.chunk_by(|a, b| a.0 == b.0).collect();
        let gathered = self.members.iter().map(|member| {
            let mut numbers = vec![f64::NAN; asked.len()];
            let mut rest = (times.as_slice(), numbers.as_mut_slice());
            let mut parts = Vec::with_capacity(runs.len());
            for run in &runs {
                let (times, later) = rest.0.split_at(run.len());
                let (out, others) = rest.1.split_at_mut(run.len());
                rest = (later, others);
                parts.push((run[0].0, times, out));
            }
            parts.into_par_iter().for_each(|(key, times, out)| {
                let moments = if key == UNMET { Default::default() } else { self.timeline.of(key) };
                member.rule.sweep(moments, &|row| member.value(row), times, out);
            });
            let mut by_row = vec![None; dataset.rows()];
            for ((_, _, row), number) in asked.iter().zip(numbers) {
                by_row[*row as usize] = (!number.is_nan()).then_some(number);
            }
            (member.position, Cells::from(ColumnData::Number(by_row)))
        });
        gathered.collect()
    }

    fn row<'p>(&self, part: impl Fn(&str) -> Option<Part<'p>>, time: i64, out: &mut [JoinedCell]) {
        let parts = || self.over.iter().map(|name| part(name));
        if parts().any(|part| part.is_none()) {
            return;
        }
        let loaded = self.timeline.keys.find(parts());
        let live = self.live_keys.find(parts()).and_then(|key| self.live.get(&key));
        for (place, member) in self.members.iter().enumerate() {
            let mut window = Window::new(member.rule.function);
            let mut as_of = loaded
                .and_then(|key| member.rule.gather(&mut window, self.timeline.of(key), &|row| member.value(row), time));
            let counts = |event: &&Event| {
                member.rule.enters(event.time, event.time) <= time && member.rule.leaves(event.time) > time
            };
            for event in live.into_iter().flatten().filter(counts) {
                if let Some(value) = event.values[place] {
                    window.add((event.time, event.time, event.place), value);
                    as_of = as_of.max(Some(event.time));
                }
            }
            if let Some(number) = window.result() {
                out[member.position] = JoinedCell { value: Value::Number(number), as_of };
            }
        }
    }
}

impl Member {
    fn value(&self, row: u32) -> Option<i64> {
        match &self.values {
            None => Some(0),
            Some(values) => values[row as usize],
        }
    }

    /// The value of a request's row.
    fn value_of(&mut self, schema: &[Column], cells: &impl Row) -> Option<i64> {
        if self.is_count {
            return Some(0);
        }
        let (bound, names) = self.of_request.as_ref()?;
        let slots: Vec<usize> =
            names.iter().map(|name| schema.iter().position(|column| column.name == *name)).collect::<Option<_>>()?;
        let row = crate::features::Reordered { row: ByReference(cells), slots: &slots };
        let value = bound.evaluate(&row);
        coded(&value, &mut self.texts)
    }
}

/// A row behind a reference.
struct ByReference<'a, R>(&'a R);

impl<R: Row> Row for ByReference<'_, R> {
    fn cell(&self, slot: usize) -> Value<'_> {
        self.0.cell(slot)
    }
}

/// Numbers by an integer of the same order, texts by their number among those met.
fn coded(value: &Value<'_>, texts: &mut Keys) -> Option<i64> {
    match value {
        Value::Number(number) => Some(key_of(*number)),
        Value::Boolean(truth) => Some(key_of(f64::from(u8::from(*truth)))),
        Value::Text(text) => texts.enter(std::iter::once(Some(Part::Text(text.as_ref().into())))).map(i64::from),
        Value::Null | Value::Time(_) => None,
    }
}

/// The order of what a timeline is made of: the table, none for the data itself, and its key.
type TimelineOf = (Option<String>, Vec<String>);

struct Builder<'a> {
    joins: &'a Joins,
    sources: &'a Sources,
    timelines: BTreeMap<TimelineOf, Arc<Timeline>>,
}

impl Builder<'_> {
    fn source(&self, table: &str) -> Result<(&SourceTable, &Arc<Dataset>), JoinError> {
        let missing = || JoinError::NoTable(table.to_owned());
        let source = self.joins.table(table).ok_or_else(missing)?;
        Ok((source, self.sources.tables.get(table).ok_or_else(missing)?))
    }

    fn timeline(
        &mut self,
        table: Option<&str>,
        dataset: &Dataset,
        key: &[String],
        times: (Option<&String>, Option<&String>),
    ) -> Result<Arc<Timeline>, JoinError> {
        let name = (table.map(str::to_owned), key.to_vec());
        if let Some(timeline) = self.timelines.get(&name) {
            return Ok(Arc::clone(timeline));
        }
        let place = table.unwrap_or("the data");
        let one = |name: Option<&String>| match name {
            None => Ok(None),
            Some(name) => slots_of(dataset, std::slice::from_ref(name), place).map(|slots| slots.first().copied()),
        };
        let key = slots_of(dataset, key, place)?;
        let timeline = Arc::new(Timeline::new(dataset, &key, one(times.0)?, one(times.1)?));
        self.timelines.insert(name, Arc::clone(&timeline));
        Ok(timeline)
    }

    fn lookup(&mut self, bound: &BoundLookup) -> Result<LookedUp, JoinError> {
        let (source, dataset) = self.source(&bound.lookup.table)?;
        let (source, dataset) = (source.clone(), Arc::clone(dataset));
        let times = (source.event_time.as_ref(), source.known_time.as_ref());
        let timeline = self.timeline(Some(&source.name), &dataset, &source.key, times)?;
        let names: Vec<String> = bound.columns.iter().map(|column| column.name.clone()).collect();
        let slots = slots_of(&dataset, &names, &source.name)?;
        let time_to_live = bound.lookup.time_to_live.map(|span| micros(span.seconds()));
        let event_time = source.event_time.as_ref().and_then(|name| dataset.slot(name));
        Ok(LookedUp { table: dataset, timeline, slots, event_time, time_to_live })
    }

    fn member(&mut self, position: usize, bound: &BoundAggregate) -> Result<(Member, Arc<Timeline>), JoinError> {
        let aggregate = &bound.aggregate;
        let (dataset, timeline) = match &aggregate.table {
            Some(table) => {
                let (source, dataset) = self.source(table)?;
                let (source, dataset) = (source.clone(), Arc::clone(dataset));
                let times = (source.event_time.as_ref(), source.known_time.as_ref());
                let timeline = self.timeline(Some(table), &dataset, &source.key, times)?;
                (dataset, timeline)
            }
            None => {
                let missing = || JoinError::NoTable("the data's own rows".to_owned());
                let dataset = Arc::clone(self.sources.own.as_ref().ok_or_else(missing)?);
                let joins = self.joins;
                let times = (joins.event_time.as_ref(), joins.known_time.as_ref());
                let timeline = self.timeline(None, &dataset, &aggregate.over, times)?;
                (dataset, timeline)
            }
        };
        let wrong = |reason: String| JoinError::Aggregate { name: aggregate.name.clone(), reason };
        let mut texts = Keys::default();
        let values = match &aggregate.of {
            None => None,
            Some(of) => {
                let of = of.bind(dataset.schema()).map_err(|error| wrong(error.to_string()))?;
                let values = (0..dataset.rows()).map(|row| coded(&of.evaluate(&dataset.row(row)), &mut texts));
                Some(values.collect())
            }
        };
        let of_request = match &aggregate.of {
            Some(of) if aggregate.table.is_none() && bound.delay.is_none() => {
                let names: Vec<String> = of.columns().into_iter().map(str::to_owned).collect();
                let read = |name: &String| dataset.slot(name).map(|slot| dataset.schema()[slot].clone());
                let columns: Vec<Column> = names.iter().filter_map(read).collect();
                Some((of.bind(&columns).map_err(|error| wrong(error.to_string()))?, names))
            }
            _ => None,
        };
        let rule = Rule {
            function: aggregate.function,
            window: micros(aggregate.window.seconds()),
            delay: bound.delay.map_or(0, |delay| micros(delay.seconds())),
        };
        Ok((Member { position, rule, values, of_request, is_count: aggregate.of.is_none(), texts }, timeline))
    }
}

/// The rows of the data that rows of `asked` could see: those of an entity that is asked about.
pub(crate) fn keys_met(joins: &Joins, own: &Dataset, asked: &Dataset) -> Result<Vec<u32>, JoinError> {
    let mut met = vec![false; own.rows()];
    for bound in joins.aggregates.iter().filter(|bound| bound.aggregate.table.is_none()) {
        let over = &bound.aggregate.over;
        let (here, there) = (slots_of(own, over, "the data")?, slots_of(asked, over, "the request")?);
        let mut keys = Keys::default();
        for row in 0..asked.rows() {
            keys.enter(there.iter().map(|slot| Part::of_cell(asked.cells(*slot), row)));
        }
        for (row, met) in met.iter_mut().enumerate().filter(|(_, met)| !**met) {
            *met = keys.find(here.iter().map(|slot| Part::of_cell(own.cells(*slot), row))).is_some();
        }
    }
    Ok(met.iter().enumerate().filter(|(_, met)| **met).map(|(row, _)| row as u32).collect())
}

fn micros(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND)
}

fn slots_of(dataset: &Dataset, names: &[String], place: &str) -> Result<Vec<usize>, JoinError> {
    let slot = |name: &String| {
        let missing = || JoinError::NoColumn { place: place.to_owned(), column: name.clone() };
        dataset.slot(name).ok_or_else(missing)
    };
    names.iter().map(slot).collect()
}
