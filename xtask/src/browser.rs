//! What the browser loads, into the site directory: the stylesheet, and the hydration code with its loader.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::stages::Outcome;
use crate::style;
use crate::toolchain::{TARGET, WasmSource, WasmToolchain};
use crate::workspace::{Workspace, execute};

const NAME: &str = "millrace";
const PROFILE: &str = "wasm";

pub fn build(workspace: &Workspace, wasm: WasmSource) -> Result<Outcome> {
    let package = workspace.site().join("pkg");
    fs::create_dir_all(&package).with_context(|| format!("can't create {}", package.display()))?;
    write(&package.join("millrace.css"), style::bundle(&workspace.root().join("style"))?.as_bytes())?;

    let Some(toolchain) = WasmToolchain::find(workspace, wasm) else {
        let [loader, code] = outputs(&package);
        remove(&loader)?;
        remove(&code)?;
        let why = if wasm == WasmSource::None { "as asked" } else { "no way to compile for wasm was found" };
        return Ok(Outcome::Skipped(format!("{why}: pages work without hydration")));
    };
    let target = workspace.browser_target();
    execute(
        toolchain
            .cargo_build(workspace)
            .args(["--package", "frontend", "--profile", PROFILE])
            .arg("--target-dir")
            .arg(&target),
    )?;
    bundle(&target.join(TARGET).join(PROFILE).join("frontend.wasm"), &target.join("bundled.wasm"), &package)
}

/// Turns cargo's wasm into what a browser loads. `bundled` keeps the input of the last time: an equal one is done already.
fn bundle(compiled: &Path, bundled: &Path, package: &Path) -> Result<Outcome> {
    let input = fs::read(compiled).with_context(|| format!("can't read {}", compiled.display()))?;
    let is_there = outputs(package).iter().all(|output| output.exists());
    if is_there && fs::read(bundled).is_ok_and(|known| known == input) {
        return Ok(Outcome::Done);
    }
    remove(bundled)?;
    Bindgen::new()
        .input_path(compiled)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .out_name(NAME)
        .generate(package)?;
    write(bundled, &input)?;
    Ok(Outcome::Done)
}

fn outputs(package: &Path) -> [PathBuf; 2] {
    [package.join(format!("{NAME}.js")), package.join(format!("{NAME}_bg.wasm"))]
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).with_context(|| format!("can't write {}", path.display()))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
