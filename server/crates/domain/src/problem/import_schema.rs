//! Rules from a schema of TensorFlow Data Validation, in protobuf's text form (`schema.pbtxt`).
//!
//! Presence, domains and ranges become rules, and environments without a feature those of a document. How many values a feature
//! holds, and types, are what reading checks anyway.

use std::collections::BTreeSet;

use super::import::{Imported, free_name};
use super::{DataCheck, Environment, Rule, Statistic};
use crate::expr::Expression;
use crate::schema::Severity;

/// Reads a schema.
///
/// # Errors
/// When the text is not protobuf's text form, or holds no feature.
pub fn data_validation_schema(text: &str) -> Result<Imported, String> {
    let message = Message::parse(text)?;
    let domains: Vec<(&str, Vec<&str>)> =
        message.all("string_domain").map(|domain| (domain.text("name"), domain.texts("value"))).collect();
    let mut imported = Imported::default();
    for feature in message.all("feature") {
        let name = feature.text("name");
        if name.is_empty() {
            imported.left_out.push(("feature".to_owned(), "it has no name".to_owned()));
            continue;
        }
        if feature.text("lifecycle_stage") == "DEPRECATED" {
            imported.left_out.push((name.to_owned(), "it is deprecated".to_owned()));
            continue;
        }
        let column = Expression::column(name).text().to_owned();
        let mut add = |about: &str, rule: Rule| {
            let name = free_name(&imported.checks, &format!("{name} {about}"));
            imported.checks.push(DataCheck { name, rule, severity: Severity::Critical });
        };
        for (about, rule) in presence(name, feature) {
            add(about, rule);
        }
        let named = domains.iter().find(|(domain, _)| *domain == feature.text("domain"));
        let own = feature.one("string_domain").map(|domain| domain.texts("value"));
        let values = own.or_else(|| named.map(|(_, values)| values.clone())).unwrap_or_default();
        if !values.is_empty() {
            let list: Vec<String> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
            let mass = feature.one("distribution_constraints").and_then(|limits| limits.number("min_domain_mass"));
            let text = format!("CAST({column} AS text) IN ({})", list.join(", "));
            match Expression::parse(&text) {
                Ok(expression) => add("in its domain", Rule::Rows { expression, at_least: mass.unwrap_or(1.0) }),
                Err(error) => imported.left_out.push((format!("{name} in its domain"), error.to_string())),
            }
        }
        for kind in ["int_domain", "float_domain"] {
            let Some(domain) = feature.one(kind) else { continue };
            let bounds = [("min", ">="), ("max", "<=")];
            let parts: Vec<String> = bounds
                .iter()
                .filter_map(|(key, sign)| Some(format!("{column} {sign} {}", domain.number(key)?)))
                .collect();
            if let (false, Ok(expression)) = (parts.is_empty(), Expression::parse(&parts.join(" AND "))) {
                let name = free_name(&imported.checks, &format!("{name} in its range"));
                let rule = Rule::Rows { expression, at_least: 1.0 };
                imported.checks.push(DataCheck { name, rule, severity: Severity::Critical });
            }
        }
    }
    imported.environments = environments(&message);
    if message.all("feature").next().is_none() {
        return Err("is not a schema: it has no feature".to_owned());
    }
    Ok(imported)
}

/// The environments that lack a feature: all that the schema names, less those a feature is in.
fn environments(schema: &Message) -> Vec<Environment> {
    let features = || schema.all("feature").filter(|feature| feature.text("lifecycle_stage") != "DEPRECATED");
    let said = features().flat_map(|feature| [feature.texts("in_environment"), feature.texts("not_in_environment")]);
    let defaults = schema.texts("default_environment");
    let named: BTreeSet<&str> = said.flatten().chain(defaults.iter().copied()).collect();
    let lacks = |feature: &Message, name: &str| {
        let listed = |key: &str| feature.texts(key).contains(&name);
        listed("not_in_environment") || !(listed("in_environment") || defaults.contains(&name))
    };
    let without = |name: &str| -> Vec<String> {
        features().filter(|feature| lacks(feature, name)).map(|feature| feature.text("name").to_owned()).collect()
    };
    named
        .into_iter()
        .map(|name| Environment { name: name.to_owned(), without: without(name), compared_to: None })
        .filter(|environment| !environment.without.is_empty())
        .collect()
}

/// That a column is there, holds something, and is missing in no more rows than it may.
fn presence(name: &str, feature: &Message) -> Vec<(&'static str, Rule)> {
    let Some(presence) = feature.one("presence") else { return Vec::new() };
    let of = |statistic, min, max| Rule::Statistic { statistic, of: Some(name.to_owned()), min, max };
    let mut rules = Vec::new();
    if let Some(share) = presence.number("min_fraction") {
        rules.push(("present", of(Statistic::MissingShare, None, Some(1.0 - share))));
    }
    if presence.number("min_count").is_some_and(|count| count >= 1.0) {
        rules.push(("has values", of(Statistic::Distinct, Some(1.0), None)));
    }
    rules
}

/// A message: its fields in order, a field may come more than once.
#[derive(Debug, Default)]
struct Message(Vec<(String, Field)>);

#[derive(Debug)]
enum Field {
    Scalar(String),
    Message(Message),
}

impl Message {
    fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut tokens = tokens.into_iter().peekable();
        let message = Self::read(&mut tokens, 0)?;
        match tokens.next() {
            None => Ok(message),
            Some(token) => Err(format!("is not protobuf's text form: did not expect {token:?}")),
        }
    }

    fn read(tokens: &mut std::iter::Peekable<std::vec::IntoIter<String>>, depth: usize) -> Result<Self, String> {
        if depth > 20 {
            return Err("is nested too deeply".to_owned());
        }
        let mut fields = Vec::new();
        while let Some(name) = tokens.next_if(|token| token != "}") {
            let wrong = || format!("is not protobuf's text form: {name:?} has no value");
            let mut next = tokens.next().ok_or_else(wrong)?;
            if next == ":" {
                next = tokens.next().ok_or_else(wrong)?;
            }
            if next == "{" {
                fields.push((name, Field::Message(Self::read(tokens, depth + 1)?)));
                if tokens.next().as_deref() != Some("}") {
                    return Err("is not protobuf's text form: a } is missing".to_owned());
                }
            } else {
                fields.push((name, Field::Scalar(next)));
            }
        }
        Ok(Self(fields))
    }

    fn all<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m Self> {
        self.0.iter().filter(move |(field, _)| field == name).filter_map(|(_, field)| match field {
            Field::Message(message) => Some(message),
            Field::Scalar(_) => None,
        })
    }

    fn one<'m>(&'m self, name: &'m str) -> Option<&'m Self> {
        self.all(name).next()
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        let scalar = |(field, value): &'_ (String, Field)| field == name && matches!(value, Field::Scalar(_));
        let named = self.0.iter().filter(|field| scalar(field));
        named
            .filter_map(|(_, value)| if let Field::Scalar(text) = value { Some(text.as_str()) } else { None })
            .collect()
    }

    fn text(&self, name: &str) -> &str {
        self.texts(name).first().copied().unwrap_or_default()
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// Names, numbers, texts without their quotes, and the signs `: { }`.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '#' => while rest.next_if(|c| *c != '\n').is_some() {},
            ':' | '{' | '}' => tokens.push(c.to_string()),
            c if c.is_whitespace() || matches!(c, ',' | ';') => {}
            '"' | '\'' => {
                let mut word = String::new();
                loop {
                    match rest.next() {
                        None => return Err("is not protobuf's text form: a text does not end".to_owned()),
                        Some('\\') => word.extend(rest.next()),
                        Some(end) if end == c => break,
                        Some(other) => word.push(other),
                    }
                }
                tokens.push(word);
            }
            c => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-')) {
                    word.push(c);
                }
                tokens.push(word);
            }
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "feature {\n name: \"kind\" domain: \"kinds\" presence { min_fraction: 0.9 min_count: 1 }\n\
        distribution_constraints { min_domain_mass: 0.99 } }\n\
        feature { name: 'size' int_domain: { min: 0 max: 10 } }\n\
        string_domain { name: \"kinds\" value: \"it's\" value: \"b\" } # the end";

    #[test]
    fn presence_domains_and_ranges_become_rules() {
        let toml = data_validation_schema(SCHEMA).unwrap().to_toml();
        for part in
            ["CAST(kind AS text) IN ('it''s', 'b')", "at_least = 0.99", "size >= 0 AND size <= 10", "missing_share"]
        {
            assert!(toml.contains(part), "{toml}");
        }
    }

    #[test]
    fn an_environment_without_a_feature_is_one_of_the_document() {
        let schema = "default_environment: \"TRAINING\" default_environment: \"SERVING\"\n\
            feature { name: \"tips\" not_in_environment: \"SERVING\" } feature { name: \"fare\" }\n\
            feature { name: \"desk\" in_environment: \"BATCH\" }";
        let found = data_validation_schema(&format!("{schema} {SCHEMA}")).unwrap();
        let lacking: Vec<_> = found.environments.iter().map(|one| (one.name.as_str(), one.without.clone())).collect();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(lacking, [("BATCH", texts(&["tips", "fare", "kind", "size"])), ("SERVING", texts(&["tips"]))]);
        assert!(found.to_toml().contains("[[environments]]\nname = \"BATCH\""), "{}", found.to_toml());
    }

    #[test]
    fn what_is_no_schema_is_said_to_be_none() {
        for text in ["", "feature {", "feature: {name", "a b c", "}"] {
            assert!(data_validation_schema(text).is_err(), "{text}");
        }
        assert!(data_validation_schema(&"a {".repeat(100)).is_err());
    }
}
