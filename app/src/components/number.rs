use leptos::prelude::*;

/// A measured value: four significant digits, or as many decimals as asked for; words where there is no number.
#[component]
pub fn Number(
    /// The value; `n/a` if there is none.
    value: Option<f64>,
    /// Decimals, where a column needs the same for every row.
    #[prop(optional)]
    digits: Option<usize>,
) -> impl IntoView {
    view! { <span class="num">{written(value, digits)}</span> }
}

fn written(value: Option<f64>, digits: Option<usize>) -> String {
    match (value, digits) {
        (None, _) => "n/a".to_owned(),
        (Some(value), Some(digits)) if value.is_finite() => format!("{value:.digits$}").replace('-', "−"),
        (Some(value), _) => millrace_charts::number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn what_is_no_number_is_written_in_words() {
        assert_eq!(written(None, None), "n/a");
        assert_eq!(written(Some(f64::NAN), Some(2)), "not a number");
        assert_eq!(written(Some(f64::NEG_INFINITY), None), "minus infinite");
    }

    #[test]
    fn decimals_are_kept_where_asked_for() {
        assert_eq!(written(Some(-0.5), Some(3)), "−0.500");
    }
}
