//! The theme keeps the contrast it declares, in light and dark, and figures fall back to the theme's light colours.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use millrace_charts::{Roc, TuningHistory, roc, tuning_history};

type Rgb = [f64; 3];

struct Tokens {
    css: String,
    pairs: BTreeMap<String, [String; 2]>,
}

impl Tokens {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../style/tokens.css");
        let css = fs::read_to_string(&path).expect("style/tokens.css is there");
        let pairs = css.lines().filter_map(pair).collect();
        Self { css, pairs }
    }

    fn colour(&self, name: &str, theme: usize) -> Rgb {
        let pair = self.pairs.get(name).unwrap_or_else(|| panic!("{name} is not a pair of colours"));
        rgb(&pair[theme]).unwrap_or_else(|| panic!("{name}: {} is not #rrggbb", pair[theme]))
    }
}

/// `--name: light-dark(#rrggbb, #rrggbb);`
fn pair(line: &str) -> Option<(String, [String; 2])> {
    let (name, value) = line.trim().split_once(": light-dark(")?;
    let (light, dark) = value.strip_suffix(");")?.split_once(", ")?;
    Some((name.to_owned(), [light.to_owned(), dark.to_owned()]))
}

fn rgb(hex: &str) -> Option<Rgb> {
    let digits = hex.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let channel = |i: usize| u8::from_str_radix(&digits[i..i + 2], 16).ok().map(f64::from);
    Some([channel(0)?, channel(2)?, channel(4)?])
}

/// Relative luminance (WCAG 2.2, sRGB).
fn luminance(colour: Rgb) -> f64 {
    let linear = colour.map(|channel| {
        let c = channel / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn declared_pairs_keep_their_contrast_in_both_themes() {
    let tokens = Tokens::read();
    let mut checked = 0;
    let mut broken = Vec::new();
    for line in tokens.css.lines().filter_map(|line| line.strip_prefix("@contrast ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let [front, "on", back, least] = words[..] else { panic!("not a declaration: {line}") };
        let least: f64 = least.parse().expect("a number");
        for (theme, name) in ["light", "dark"].into_iter().enumerate() {
            let ratio = contrast(tokens.colour(front, theme), tokens.colour(back, theme));
            if ratio < least {
                broken.push(format!("{name}: {front} on {back} has {ratio:.2}, needs {least}"));
            }
            checked += 1;
        }
    }
    assert!(checked >= 100, "only {checked} pairs declared");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_token_of_a_figure_exists_and_falls_back_to_its_light_value() {
    let tokens = Tokens::read();
    let sources = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ink.rs")).expect("own source");
    let mut seen = 0;
    for paint in sources.split("\"var(").skip(1) {
        let (name, rest) = paint.split_once(',').expect("every token has a fallback");
        let fallback = rest.split(')').next().expect("split gives one part");
        assert_eq!(tokens.pairs.get(name).map(|pair| pair[0].as_str()), Some(fallback), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 17);
    let drawn = [roc(&Roc::default(), "a"), tuning_history(&TuningHistory::default(), "b")];
    assert!(drawn.iter().all(|figure| figure.svg.contains("var(--chart-text-muted,")));
}

#[test]
fn black_on_white_has_the_greatest_contrast() {
    let ratio = contrast([0.0; 3], [255.0; 3]);
    assert!((ratio - 21.0).abs() < 1e-9, "{ratio}");
}
