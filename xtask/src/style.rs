//! One stylesheet out of many: `style/main.css` with every `@import` of a file replaced by that file.
//!
//! Understood: `@import "file.css";` and `@import "file.css" layer(name);`, one to a line, `url(...)` around the name or not.
//! Everything else in `main.css` stays as it is. An imported file may not import in its turn.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Reads `directory/main.css` and what it imports.
pub fn bundle(directory: &Path) -> Result<String> {
    let main = directory.join("main.css");
    let text = fs::read_to_string(&main).with_context(|| format!("can't read {}", main.display()))?;
    expand(&text, |name| {
        let path = directory.join(name);
        fs::read_to_string(&path).with_context(|| format!("can't read {}, which main.css imports", path.display()))
    })
}

fn expand(main: &str, read: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut sheet = String::new();
    for line in main.lines() {
        if !line.trim_start().starts_with("@import") {
            sheet.push_str(line);
            sheet.push('\n');
            continue;
        }
        let import = Import::parse(line).with_context(|| format!("main.css: not understood: {line}"))?;
        let content = read(import.file)?;
        if content.contains("@import") {
            bail!("{}: an imported file may not import: list it in main.css", import.file);
        }
        sheet.push_str(&match import.layer {
            Some(layer) => format!("/* {} */\n@layer {layer} {{\n{content}}}\n", import.file),
            None => format!("/* {} */\n{content}", import.file),
        });
    }
    Ok(sheet)
}

const QUOTES: [char; 2] = ['"', '\''];

struct Import<'a> {
    file: &'a str,
    layer: Option<&'a str>,
}

impl<'a> Import<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let rule = line.trim().strip_prefix("@import")?.strip_suffix(';')?.trim();
        let (target, rest) = match rule.strip_prefix("url(") {
            Some(inside) => inside.split_once(')')?,
            None => {
                let quote = rule.chars().next().filter(|first| QUOTES.contains(first))?;
                rule[1..].split_once(quote)?
            }
        };
        let file = target.trim().trim_matches(QUOTES);
        let layer = match rest.trim() {
            "" => None,
            condition => Some(condition.strip_prefix("layer(")?.strip_suffix(')')?.trim()),
        };
        let local = file.ends_with(".css") && !file.contains(':') && !file.starts_with('/') && !file.contains("..");
        local.then_some(Self { file, layer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(main: &str) -> Result<String> {
        expand(main, |name| Ok(format!("{} {{}}\n", name.trim_end_matches(".css"))))
    }

    #[test]
    fn files_come_in_the_order_of_their_imports_and_in_their_layers() {
        let sheet =
            expanded("@layer a, b;\n@import \"x.css\" layer(a);\n@import url('y.css') layer(b);\n@import \"z.css\";\n");
        let expected =
            "@layer a, b;\n/* x.css */\n@layer a {\nx {}\n}\n/* y.css */\n@layer b {\ny {}\n}\n/* z.css */\nz {}\n";
        assert_eq!(sheet.unwrap(), expected);
    }

    #[test]
    fn an_import_that_would_be_dropped_by_a_browser_or_lead_elsewhere_is_refused() {
        for line in [
            "@import \"https://example.org/a.css\";",
            "@import \"../a.css\";",
            "@import \"a.css\" screen;",
            "@import \"a.css\"",
            "@import ;",
        ] {
            assert!(expanded(line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_imported_file_may_not_import() {
        let nested = expand("@import \"a.css\";", |_| Ok("@import \"b.css\";".into()));
        assert!(nested.unwrap_err().to_string().contains("a.css"));
    }
}
