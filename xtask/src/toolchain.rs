//! How the browser's side is compiled: where its standard library comes from.
//!
//! Tried in this order, until one works:
//! 1. rustup's ready-made `wasm32-unknown-unknown`, installed or downloaded now;
//! 2. the standard library's source beside the compiler in use, compiled with `-Zbuild-std`;
//! 3. Debian's second toolchain (`rustc-web` and its companions), which carries that source, installed if need be;
//! 4. nothing: the pages work without it, and say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::packages;
use crate::workspace::{Workspace, answer};

pub const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
const LINKERS: [&str; 2] = ["rust-lld", "wasm-ld"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// What a user may ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum WasmSource {
    /// The first that works
    #[default]
    Auto,
    /// rustup's ready-made one
    Rustup,
    /// The source beside the compiler in use
    Source,
    /// Debian's second toolchain
    Debian,
    /// No browser code: pages work without hydration
    None,
}

/// A way to compile for the browser that was found to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WasmToolchain {
    Readymade,
    OwnSource { linker: PathBuf },
    Debian { linker: PathBuf },
}

type Rung = fn(&Workspace) -> Option<WasmToolchain>;

impl WasmToolchain {
    /// The best way there is, within what was asked for.
    pub fn find(workspace: &Workspace, wanted: WasmSource) -> Option<Self> {
        let ladder: [(WasmSource, Rung); 3] =
            [(WasmSource::Rustup, readymade), (WasmSource::Source, own_source), (WasmSource::Debian, debian)];
        let allowed = ladder.into_iter().filter(|(source, _)| wanted == WasmSource::Auto || wanted == *source);
        allowed.map(|(_, rung)| rung).find_map(|rung| rung(workspace))
    }

    /// A `cargo build` for the browser, without the packages to build.
    pub fn cargo_build(&self, workspace: &Workspace) -> Command {
        let mut cargo = workspace.cargo("build");
        match self {
            Self::Readymade => {}
            Self::OwnSource { linker } => build_std(&mut cargo, linker),
            Self::Debian { linker } => {
                cargo = workspace.command(DEBIAN_CARGO);
                cargo.arg("build").env("RUSTC", DEBIAN_RUSTC);
                for variable in ["RUSTUP_TOOLCHAIN", "RUSTDOC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO"] {
                    cargo.env_remove(variable);
                }
                build_std(&mut cargo, linker);
            }
        }
        cargo.args(["--locked", "--target", TARGET]);
        cargo
    }
}

/// `-Zbuild-std` is cargo's own, but unstable: the variable lets a stable cargo and compiler do it.
fn build_std(cargo: &mut Command, linker: &Path) {
    cargo
        .arg("-Zbuild-std=std,panic_abort")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
}

fn readymade(workspace: &Workspace) -> Option<WasmToolchain> {
    let is_installed = || {
        let libraries = answer(workspace.command("rustc").args(["--print", "target-libdir", "--target", TARGET]));
        libraries.is_some_and(|directory| Path::new(&directory).is_dir())
    };
    if is_installed() {
        return Some(WasmToolchain::Readymade);
    }
    if already_refused(workspace) && fallback_is_ready(workspace) {
        return None;
    }
    let mut rustup = workspace.command("rustup");
    rustup.args(["target", "add", TARGET]).stdin(Stdio::null());
    let added = rustup.status().is_ok_and(|status| status.success()) && is_installed();
    if added {
        return Some(WasmToolchain::Readymade);
    }
    remember_refusal(workspace);
    None
}

fn own_source(workspace: &Workspace) -> Option<WasmToolchain> {
    let sysroot = PathBuf::from(answer(workspace.command("rustc").args(["--print", "sysroot"]))?);
    let linker = linker(workspace).filter(|_| has_source(&sysroot))?;
    Some(WasmToolchain::OwnSource { linker })
}

fn debian(workspace: &Workspace) -> Option<WasmToolchain> {
    if !debian_is_ready() && packages::may_install() {
        packages::apt_install(&DEBIAN_PACKAGES).inspect_err(|error| eprintln!("   {error:#}")).ok()?;
    }
    let linker = linker(workspace).filter(|_| debian_is_ready())?;
    Some(WasmToolchain::Debian { linker })
}

fn debian_is_ready() -> bool {
    let version = answer(Command::new(DEBIAN_RUSTC).arg("--version").env_remove("RUSTUP_TOOLCHAIN"));
    let recent = version.as_deref().and_then(release).zip(release(env!("CARGO_PKG_RUST_VERSION")));
    Path::new(DEBIAN_CARGO).exists() && has_source(Path::new("/usr")) && recent.is_some_and(|(is, least)| is >= least)
}

fn has_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").exists()
}

/// A linker for wasm: the one that rustup ships for its own compiler, or the machine's. Debian's `rust-lld` may be a link
/// to a package that the release doesn't have; such a link doesn't count.
fn linker(workspace: &Workspace) -> Option<PathBuf> {
    let rustups = || {
        let libraries = answer(workspace.command("rustc").args(["--print", "target-libdir"]))?;
        let linker = Path::new(&libraries).parent()?.join("bin/rust-lld");
        linker.exists().then_some(linker)
    };
    rustups().or_else(|| LINKERS.iter().find_map(|name| packages::on_path(name)))
}

/// Where rustup can't download, asking it anew at every build would cost a wait for the network each time.
fn already_refused(workspace: &Workspace) -> bool {
    fs::read_to_string(refusal(workspace)).is_ok_and(|compiler| Some(compiler) == compiler_in_use(workspace))
}

fn remember_refusal(workspace: &Workspace) {
    let Some(compiler) = compiler_in_use(workspace) else {
        return;
    };
    let note = fs::create_dir_all(workspace.browser_target()).and_then(|()| fs::write(refusal(workspace), compiler));
    if let Err(error) = note {
        eprintln!("   can't write {}: {error}", refusal(workspace).display());
    }
}

fn refusal(workspace: &Workspace) -> PathBuf {
    workspace.browser_target().join("rustup-has-no-wasm-for")
}

fn compiler_in_use(workspace: &Workspace) -> Option<String> {
    answer(workspace.command("rustc").arg("--version"))
}

fn fallback_is_ready(workspace: &Workspace) -> bool {
    own_source(workspace).is_some() || (debian_is_ready() && linker(workspace).is_some())
}

/// Major and minor number in `rustc 1.96.0 (…)` or `1.94`.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim_start_matches("rustc ").split(['.', ' ', '-']).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_releases_are_compared_as_numbers() {
        assert_eq!(release("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some((1, 96)));
        assert!(release("1.100").unwrap() > release("rustc 1.94.1").unwrap());
        assert_eq!(release("no compiler"), None);
    }
}
