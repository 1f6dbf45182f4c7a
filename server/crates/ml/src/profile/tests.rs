use super::*;
use crate::dataset::ColumnData;

fn of(data: ColumnData) -> ColumnProfile {
    let dataset = Dataset::from_parts([("x", data)]).unwrap();
    profile(&dataset, &BTreeMap::new()).columns.remove(0)
}

#[test]
fn numbers_agree_with_numpy() {
    // numpy 2.4.6: np.quantile(x, [0, .05, .25, .5, .75, .95, 1]), x.mean(), x.std() of x = [3.5, -1, 0, 2.25, 10, 2.25, 7]
    let column = of(ColumnData::Number(vec![
        Some(3.5),
        Some(-1.0),
        None,
        Some(-0.0),
        Some(2.25),
        Some(10.0),
        Some(2.25),
        Some(7.0),
    ]));
    let expected = [-1.0, -0.7, 1.125, 2.25, 5.25, 9.1, 10.0];
    for (found, expected) in column.quantiles.unwrap().into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    assert!((column.mean.unwrap() - 3.428_571_428_571_428_4).abs() < 1e-14);
    assert!((column.standard_deviation.unwrap() - 3.587_464_001_099_338).abs() < 1e-13);
    assert_eq!((column.present, column.missing, column.distinct), (7, 1, 6));
    assert_eq!(column.top[0], ("2.25".to_owned(), 2));
}

#[test]
fn bins_hold_every_value_once() {
    let column = of(ColumnData::Integer((0..1_000).map(|x| Some(x * x)).collect()));
    assert_eq!(column.histogram.iter().map(|(_, _, count)| count).sum::<u64>(), 1_000);
    assert_eq!((column.histogram[0].0, column.histogram[19].1), (0.0, 998_001.0));
    assert!(column.histogram.windows(2).all(|bins| bins[0].1 == bins[1].0));
    // 0² to 223² lie below 998,001 / 20 = 49,900.05.
    assert_eq!(column.histogram[0].2, 224);
}

#[test]
fn a_constant_column_is_one_bin() {
    let column = of(ColumnData::Number(vec![Some(4.0); 3]));
    assert_eq!(column.histogram, [(4.0, 4.0, 3)]);
    assert_eq!(column.standard_deviation, Some(0.0));
}

#[test]
fn a_column_without_values_has_no_statistics() {
    let column = of(ColumnData::Number(vec![None; 3]));
    assert_eq!((column.distinct, column.quantiles, column.mean), (0, None, None));
}

#[test]
fn a_large_offset_does_not_spoil_the_deviation() {
    let column = of(ColumnData::Number((0..10_000).map(|x| Some(1e9 + f64::from(x % 2))).collect()));
    assert_eq!(column.standard_deviation, Some(0.5));
}

#[test]
fn extremes_of_the_range_do_not_overflow_quantiles() {
    let column = of(ColumnData::Number(vec![Some(f64::MAX), Some(f64::MIN)]));
    assert_eq!(column.quantiles.unwrap()[3], 0.0);
    assert_eq!(column.standard_deviation, None);
}

#[test]
fn frequent_texts_come_first_and_ties_in_order() {
    let texts = ["b", "a", "c", "c", ""].map(|text| Some(text.to_owned()));
    let column = of(ColumnData::Text(texts.into_iter().chain([None]).collect()));
    let top: Vec<(&str, u64)> = column.top.iter().map(|(text, count)| (text.as_str(), *count)).collect();
    assert_eq!(top, [("c", 2), ("", 1), ("a", 1), ("b", 1)]);
    assert_eq!((column.distinct, column.missing), (4, 1));
}

#[test]
fn distinct_texts_are_counted_however_many_there_are() {
    let column = of(ColumnData::Text((0..300_000).map(|x| Some((x % 150_000).to_string())).collect()));
    assert_eq!(column.distinct, 150_000);
}

#[test]
fn times_are_shown_as_dates() {
    let column = of(ColumnData::Time(vec![Some(1_388_582_400_000_000), Some(1_388_582_400_500_000)]));
    assert_eq!(column.top[0].0, "2014-01-01T13:20:00Z");
    assert_eq!(column.top[1].0, "2014-01-01T13:20:00.500Z");
    assert_eq!(column.mean, None);
}

#[test]
fn truth_values_are_counted() {
    let column = of(ColumnData::Boolean(vec![Some(true), None, Some(false), Some(true)]));
    assert_eq!(column.top, [("true".to_owned(), 2), ("false".to_owned(), 1)]);
}
