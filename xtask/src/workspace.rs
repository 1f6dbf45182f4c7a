//! Where things are, and how cargo and other programs are called.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::stages::Outcome;

/// Everything that runs on the server. One and the same choice for build, lint and test, because cargo decides a shared
/// dependency's features by the packages asked for: another choice compiles it once more. `frontend` is for
/// the browser only, and this program's dependencies would leak features into the server.
pub const PACKAGES: [&str; 5] = ["--workspace", "--exclude", "frontend", "--exclude", "xtask"];

pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    executables: PathBuf,
}

impl Workspace {
    /// The root is told by cargo at each run: a build output shared by two checkouts may hold the other one's program. The
    /// target directory is the one that this program was built into, whatever variable or configuration chose it.
    pub fn locate() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
        let root = Path::new(&manifest).parent().context("xtask's manifest has no parent directory")?.to_path_buf();
        let this = std::env::current_exe().context("can't find this program's own file")?;
        let executables = this.parent().context("this program's file has no directory")?.to_path_buf();
        let target = executables.parent().context("cargo's profile directory has no parent")?.to_path_buf();
        Ok(Self { root, target, executables })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the browser loads: `pkg/millrace.js`, `pkg/millrace_bg.wasm`, `pkg/millrace.css`.
    pub fn site(&self) -> PathBuf {
        self.target.join("site")
    }

    /// The browser side is compiled apart: possibly by another compiler, and without waiting for a server build.
    pub fn browser_target(&self) -> PathBuf {
        self.target.join("browser")
    }

    pub fn server(&self, release: bool) -> PathBuf {
        let directory = if release { self.target.join("release") } else { self.executables.clone() };
        directory.join("millrace")
    }

    /// A command in the workspace's root.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Cargo, as if called by hand. `cargo run` describes this program in variables that build scripts of others
    /// (ring's, for one) watch: passing them on would recompile those at every change between `cargo` and `cargo xtask`.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = self.command("cargo");
        for (name, _) in std::env::vars_os() {
            let described = name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_BIN_")
            });
            if described || name == "CARGO" || name == "CARGO_CRATE_NAME" || name == "CARGO_PRIMARY_PACKAGE" {
                cargo.env_remove(name);
            }
        }
        cargo.arg(subcommand);
        cargo
    }

    /// Builds the server's side.
    pub fn build(&self, profile: &[&str]) -> Result<Outcome> {
        execute(self.cargo("build").arg("--locked").args(PACKAGES).args(profile))
    }
}

/// Runs a program to its end, its output going where ours goes.
pub fn execute(command: &mut Command) -> Result<Outcome> {
    let status = command.status().with_context(|| format!("can't run {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(Outcome::Done)
}

/// What a program prints, if it can be run and succeeds.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", line.join(" "))
}
