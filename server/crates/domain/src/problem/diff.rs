//! What differs between two documents, field by field.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::view::FieldChange;

/// The fields in which two JSON trees differ, by pointer. Lists are compared item by item.
pub fn changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    found
}

fn compare(pointer: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let child = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                compare(&child(key), old.get(key), new.get(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for position in 0..old.len().max(new.len()) {
                compare(&child(&position.to_string()), old.get(position), new.get(position), found);
            }
        }
        _ => found.push(FieldChange { pointer: pointer.to_owned(), before: before.cloned(), after: after.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_fields_that_differ_are_named() {
        let before = json!({"a": 1, "b": {"c": [1, 2]}, "d": true});
        let after = json!({"a": 1, "b": {"c": [1, 3, 4]}});
        let pointers: Vec<String> = changes(&before, &after).into_iter().map(|change| change.pointer).collect();
        assert_eq!(pointers, ["/b/c/1", "/b/c/2", "/d"]);
    }

    #[test]
    fn equal_documents_do_not_differ() {
        assert_eq!(changes(&json!({"a": [1]}), &json!({"a": [1]})), []);
    }
}
