//! The design system and every figure on one page, for looking at.
//!
//! `cargo run -p millrace-charts --example gallery -- DIRECTORY` writes `gallery-light.html` and `gallery-dark.html` there (default:
//! the current directory). The pages hold the style sheets as the build would join them and need no server.

mod samples;

use std::fs;
use std::path::{Path, PathBuf};

const COMPONENTS: &str = include_str!("components.html");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let style = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../style");
    let css = joined_styles(&style)?;
    for theme in ["light", "dark"] {
        let path = directory.join(format!("gallery-{theme}.html"));
        fs::write(&path, page(theme, &css))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The files that `main.css` imports, in its order, each in its layer.
fn joined_styles(style: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let main = fs::read_to_string(style.join("main.css"))?;
    let mut css = String::new();
    for line in main.lines() {
        match import(line) {
            None => css.push_str(line),
            Some((file, layer)) => {
                let content = fs::read_to_string(style.join(file))?;
                css.push_str(&format!("@layer {layer} {{\n{content}\n}}"));
            }
        }
        css.push('\n');
    }
    Ok(css)
}

/// File and layer of `@import "./file.css" layer(name);`.
fn import(line: &str) -> Option<(&str, &str)> {
    let (file, rest) = line.strip_prefix("@import \"")?.split_once('"')?;
    let layer = rest.trim().strip_prefix("layer(")?.strip_suffix(");")?;
    Some((file, layer))
}

fn page(theme: &str, css: &str) -> String {
    let cards: String = samples::figures()
        .iter()
        .map(|figure| {
            format!(
                "<section class=\"card\"><div class=\"card-header\"><h2>{}</h2></div><div class=\"card-body\">{}</div></section>",
                figure.title,
                figure.html()
            )
        })
        .collect();
    let body =
        COMPONENTS.replace("<!-- figures -->", &cards).replace("<!-- sparkline -->", &samples::drift_sparkline().svg);
    format!(
        "<!doctype html><html lang=\"en\" data-theme=\"{theme}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Gallery</title><style>{css}</style></head><body>{body}</body></html>"
    )
}
