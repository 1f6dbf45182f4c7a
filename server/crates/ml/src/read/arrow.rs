//! From Arrow's many types to the five of a dataset.

use millrace_domain::schema::ColumnType;
use polars_arrow::array::{Array, BinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, Field, TimeUnit};
use polars_arrow::types::NativeType;

use super::error::{Place, Problem, Rule};
use super::time;
use crate::dataset::Cells;

/// Refuses types that no dataset holds.
pub(crate) fn check_type(field: &Field) -> Result<(), Problem> {
    use ArrowDataType as A;
    let kind = match &field.dtype {
        A::List(_) | A::LargeList(_) | A::FixedSizeList(..) => "list",
        A::Struct(_) => "struct",
        A::Map(..) => "map",
        A::Time32(_) | A::Time64(_) => "time of day",
        A::Duration(_) | A::Interval(_) => "duration",
        A::FixedSizeBinary(_) => "raw bytes",
        A::Union(_) | A::Extension(_) | A::Decimal256(..) | A::Int128 | A::UInt128 | A::Float16 | A::Unknown => {
            return Err(refused(format!("{:?}", field.dtype), &field.name));
        }
        _ => return Ok(()),
    };
    Err(refused(kind.to_owned(), &field.name))
}

fn refused(kind: String, name: &str) -> Problem {
    Rule::Type(kind).at(Place::default().in_column(name))
}

/// The array as cells, with what should be known about it.
///
/// # Errors
/// When a number is infinite, a moment lies outside the years 1 to 9999, or bytes are no text.
pub(crate) fn cells(array: &dyn Array, name: &str) -> Result<(Cells, Vec<String>), Problem> {
    use ArrowDataType as A;
    let quiet = |cells: Cells| Ok((cells, Vec::new()));
    match array.dtype() {
        A::Null => quiet(Cells::Text(Utf8ViewArray::new_null(A::Utf8View, array.len()))),
        A::Boolean => quiet(Cells::Boolean(typed::<polars_arrow::array::BooleanArray>(array, name)?.clone())),
        A::Utf8View => quiet(Cells::Text(typed::<Utf8ViewArray>(array, name)?.clone())),
        A::BinaryView => match typed::<BinaryViewArray>(array, name)?.to_utf8view() {
            Ok(texts) => quiet(Cells::Text(texts)),
            Err(_) => Err(refused("raw bytes".to_owned(), name)),
        },
        A::Int8 => quiet(integers(typed::<PrimitiveArray<i8>>(array, name)?, |x| i64::from(*x))),
        A::Int16 => quiet(integers(typed::<PrimitiveArray<i16>>(array, name)?, |x| i64::from(*x))),
        A::Int32 => quiet(integers(typed::<PrimitiveArray<i32>>(array, name)?, |x| i64::from(*x))),
        A::Int64 => quiet(Cells::Integer(typed::<PrimitiveArray<i64>>(array, name)?.clone())),
        A::UInt8 => quiet(integers(typed::<PrimitiveArray<u8>>(array, name)?, |x| i64::from(*x))),
        A::UInt16 => quiet(integers(typed::<PrimitiveArray<u16>>(array, name)?, |x| i64::from(*x))),
        A::UInt32 => quiet(integers(typed::<PrimitiveArray<u32>>(array, name)?, |x| i64::from(*x))),
        A::UInt64 => Ok(unsigned(typed::<PrimitiveArray<u64>>(array, name)?)),
        A::Float32 => numbers(typed::<PrimitiveArray<f32>>(array, name)?, |x| f64::from(*x), name),
        A::Float64 => numbers(typed::<PrimitiveArray<f64>>(array, name)?, |x| *x, name),
        A::Decimal(_, scale) | A::Decimal32(_, scale) | A::Decimal64(_, scale) => {
            decimals(typed::<PrimitiveArray<i128>>(array, name)?, *scale, name)
        }
        A::Date32 => times(typed::<PrimitiveArray<i32>>(array, name)?, |days| i64::from(*days), 86_400_000_000, name),
        A::Date64 => times(typed::<PrimitiveArray<i64>>(array, name)?, |millis| *millis, 1_000, name),
        A::Timestamp(unit, _) => {
            let array = typed::<PrimitiveArray<i64>>(array, name)?;
            match unit {
                TimeUnit::Second => times(array, |count| *count, 1_000_000, name),
                TimeUnit::Millisecond => times(array, |count| *count, 1_000, name),
                TimeUnit::Microsecond => times(array, |count| *count, 1, name),
                TimeUnit::Nanosecond => times(array, |count| count.div_euclid(1_000), 1, name),
            }
        }
        other => Err(refused(format!("{other:?}"), name)),
    }
}

fn typed<'a, A: 'static>(array: &'a dyn Array, name: &str) -> Result<&'a A, Problem> {
    let said = || format!("not the promised type {:?}", array.dtype());
    array.as_any().downcast_ref().ok_or_else(|| Rule::BadParquet(said()).at(Place::default().in_column(name)))
}

fn integers<T: NativeType>(array: &PrimitiveArray<T>, widen: impl Fn(&T) -> i64) -> Cells {
    let values: Vec<i64> = array.values_iter().map(widen).collect();
    Cells::Integer(PrimitiveArray::new(ArrowDataType::Int64, values.into(), array.validity().cloned()))
}

/// Whole numbers beyond 64 signed bits make the column text, as in CSV.
fn unsigned(array: &PrimitiveArray<u64>) -> (Cells, Vec<String>) {
    match array.iter().flatten().find(|value| **value > i64::MAX as u64) {
        None => (integers(array, |value| *value as i64), Vec::new()),
        Some(first) => {
            let texts: Vec<Option<String>> = array.iter().map(|value| value.map(u64::to_string)).collect();
            let note = format!("whole numbers beyond 64 bits, for example {first}: the column is read as text");
            (Cells::Text(Utf8ViewArray::from_slice(texts)), vec![note])
        }
    }
}

/// NaN is missing, with a note; infinities are refused.
fn numbers<T: NativeType>(
    array: &PrimitiveArray<T>,
    widen: impl Fn(&T) -> f64,
    name: &str,
) -> Result<(Cells, Vec<String>), Problem> {
    let values: Vec<f64> = array.values_iter().map(widen).collect();
    if values.iter().all(|value| value.is_finite()) {
        return Ok((number_cells(values, array.validity().cloned()), Vec::new()));
    }
    let present = |row: usize| array.validity().is_none_or(|present| present.get_bit(row));
    if let Some(row) = (0..values.len()).find(|row| present(*row) && values[*row].is_infinite()) {
        let place = Place::row(row as u64 + 1).in_column(name);
        return Err(Rule::Infinite(values[row].to_string()).at(place));
    }
    let rows: Vec<usize> = (0..values.len()).filter(|row| present(*row) && values[*row].is_nan()).collect();
    let validity: Bitmap = (0..values.len()).map(|row| present(row) && !values[row].is_nan()).collect();
    let finite = values.into_iter().map(|value| if value.is_finite() { value } else { 0.0 }).collect();
    let note =
        rows.first().map(|first| format!("NaN in {} rows (first: row {}) read as missing", rows.len(), first + 1));
    Ok((number_cells(finite, Some(validity)), note.into_iter().collect()))
}

/// Cells of a part of a column as the type that the whole column has.
pub(crate) fn widened(cells: Cells, column_type: ColumnType) -> Cells {
    match (&cells, column_type) {
        (Cells::Integer(array), ColumnType::Text) => {
            let texts: Vec<Option<String>> = array.iter().map(|value| value.map(i64::to_string)).collect();
            Cells::Text(Utf8ViewArray::from_slice(texts))
        }
        (Cells::Integer(array), ColumnType::Number) => {
            let values = array.values_iter().map(|value| *value as f64).collect();
            number_cells(values, array.validity().cloned())
        }
        _ => cells,
    }
}

fn number_cells(values: Vec<f64>, validity: Option<Bitmap>) -> Cells {
    Cells::Number(PrimitiveArray::new(ArrowDataType::Float64, values.into(), validity))
}

/// Decimals without digits after the point are whole numbers if they fit; others are the nearest double.
fn decimals(array: &PrimitiveArray<i128>, scale: usize, name: &str) -> Result<(Cells, Vec<String>), Problem> {
    let fits = |value: &i128| i64::try_from(*value).is_ok();
    if scale == 0 && array.iter().flatten().all(fits) {
        let values: Vec<i64> = array.values_iter().map(|value| i64::try_from(*value).unwrap_or(0)).collect();
        let cells = PrimitiveArray::new(ArrowDataType::Int64, values.into(), array.validity().cloned());
        return Ok((Cells::Integer(cells), Vec::new()));
    }
    // Text is the one way to a correctly rounded quotient: both i128 → f64 and the power of ten would round before it.
    let nearest = |value: &i128| format!("{value}e-{scale}").parse().unwrap_or(f64::NAN);
    let (cells, mut notes) = numbers(array, nearest, name)?;
    notes.push("decimals are read as the nearest doubles".to_owned());
    Ok((cells, notes))
}

fn times<T: NativeType>(
    array: &PrimitiveArray<T>,
    count: impl Fn(&T) -> i64,
    micros_per_unit: i64,
    name: &str,
) -> Result<(Cells, Vec<String>), Problem> {
    let mut values = Vec::with_capacity(array.len());
    for (row, value) in array.iter().enumerate() {
        let Some(value) = value else {
            values.push(0);
            continue;
        };
        let micros = time::from_count(count(value), micros_per_unit).ok_or_else(|| {
            let rule = Rule::NotATime(count(value).to_string(), "the column's timestamp type");
            rule.at(Place::row(row as u64 + 1).in_column(name))
        })?;
        values.push(micros);
    }
    Ok((Cells::Time(PrimitiveArray::new(ArrowDataType::Int64, values.into(), array.validity().cloned())), Vec::new()))
}
