//! MLflow's filters and orders in our words: an attribute is a field of its own here, a status a state, and a name in backquotes one in
//! quotes.

use super::wire::state;

/// A filter or an order as the list of runs reads it.
pub fn own_words(theirs: &str) -> String {
    let mut ours = String::with_capacity(theirs.len());
    let mut rest = theirs;
    let (mut is_of_state, mut is_of_run) = (false, false);
    while let Some(first) = rest.chars().next() {
        let (part, after) = match first {
            '\'' | '"' | '`' => quoted(rest, first),
            c if is_of_word(c) => rest.split_at(rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())),
            _ => rest.split_at(first.len_utf8()),
        };
        match first {
            // A name, as in `metrics."val auc"`; else either kind of quotes holds a text.
            '`' | '"' if first == '`' || ours.ends_with('.') => {
                ours.push_str(&part.replace('`', "\""));
                if let Some(before) = ours.strip_suffix("tags.\"mlflow.runName\"") {
                    ours = format!("{before}name");
                }
            }
            '\'' | '"' => {
                let text = part.trim_matches(first);
                match state(text) {
                    Ok(state) if is_of_state => ours.push_str(&format!("'{state}'")),
                    _ if is_of_run => ours.push_str(text),
                    _ if first == '"' => ours.push_str(&format!("'{}'", text.replace('\'', "''"))),
                    _ => ours.push_str(part),
                }
                (is_of_state, is_of_run) = (false, false);
            }
            c if is_of_word(c) => {
                let word = field(part);
                is_of_state |= word == "completion";
                is_of_run |= word == "run";
                ours.push_str(&word);
            }
            _ => ours.push_str(part),
        }
        rest = after;
    }
    ours
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_-.".contains(c)
}

/// What stands in quotes, those with it, and what comes after.
fn quoted(text: &str, quote: char) -> (&str, &str) {
    let end = text[1..].find(quote).map_or(text.len(), |end| end + 2);
    text.split_at(end)
}

fn field(word: &str) -> String {
    let own = ["attributes.", "attribute.", "attr.", "run."].iter().find_map(|kind| word.strip_prefix(kind));
    match own.unwrap_or(word) {
        "start_time" | "created" => "began_ms".to_owned(),
        "run_name" | "tags.mlflow.runName" | "tag.mlflow.runName" => "name".to_owned(),
        "run_id" => "run".to_owned(),
        "status" => "completion".to_owned(),
        // Ours tells no capital letter from a small one.
        word if word.eq_ignore_ascii_case("ilike") => "like".to_owned(),
        own => {
            let renamed = [
                ("parameters.", "params."),
                ("parameter.", "params."),
                ("param.", "params."),
                ("metric.", "metrics."),
                ("tag.", "tags."),
            ];
            let renamed =
                renamed.iter().find_map(|(theirs, ours)| Some(format!("{ours}{}", own.strip_prefix(theirs)?)));
            renamed.unwrap_or_else(|| own.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_their_clients_are_read_in_our_words() {
        let same = "metrics.auc > 0.8 and params.model = \'gbm\'";
        assert_eq!(own_words(same), same);
        assert_eq!(
            own_words("attributes.status = \'FINISHED\' and metric.a < 1"),
            "completion = \'succeeded\' and metrics.a < 1"
        );
        assert_eq!(own_words("attributes.start_time DESC"), "began_ms DESC");
        assert_eq!(own_words("attributes.start_time > 1767225600000"), "began_ms > 1767225600000");
        assert_eq!(
            own_words("params.model = \"it's\" and tags.a ILIKE \"%x\""),
            "params.model = 'it''s' and tags.a like '%x'"
        );
        assert_eq!(own_words("metrics.\"val auc\" > 1"), "metrics.\"val auc\" > 1");
        assert_eq!(own_words("attributes.run_id = '7'"), "run = 7");
        for name in ["tags.mlflow.runName", "tags.`mlflow.runName`", "tag.\"mlflow.runName\""] {
            assert_eq!(own_words(&format!("{name} = 'a'")), "name = 'a'");
        }
        assert_eq!(own_words("metrics.`val auc` > 1"), "metrics.\"val auc\" > 1");
    }

    #[test]
    fn what_stands_in_quotes_or_within_a_name_stays() {
        let same = "params.note = \'attributes.status of start_time\' and metrics.status_x > 1";
        assert_eq!(own_words(same), same);
        assert_eq!(own_words("params.a = \'never ended"), "params.a = \'never ended");
        assert_eq!(own_words("größe = \'ß\'"), "größe = \'ß\'");
    }
}
