//! What the commands need from the machine: looked for, installed where that may be done, else named in one line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::stages::Outcome;
use crate::workspace::{Workspace, answer, execute};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/// What playwright-core asks for, with `--test-concurrency` in Node's own test runner.
const OLDEST_NODE: (u32, u32) = (20, 10);

/// Everything that the tests need beyond Rust.
pub fn for_tests(workspace: &Workspace) -> Result<Outcome> {
    postgres()?;
    chromium()?;
    faketime()?;
    node()?;
    node_packages(workspace)?;
    Ok(Outcome::Done)
}

/// The server runs its private cluster with the machine's own Postgres.
pub fn postgres() -> Result<()> {
    let installed = || {
        let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let elsewhere = answer(Command::new("pg_config").arg("--bindir")).map(PathBuf::from);
        let mut directories = debian.map(|version| version.path().join("bin")).chain(elsewhere);
        on_path("initdb").is_some() || directories.any(|directory| directory.join("initdb").exists())
    };
    provide("Postgres (initdb, pg_ctl)", installed, &["postgresql"])
}

/// The browser for the end-to-end tests: what `CHROMIUM` names, or the machine's.
pub fn chromium() -> Result<PathBuf> {
    let find =
        || std::env::var_os("CHROMIUM").map(PathBuf::from).or_else(|| BROWSERS.iter().find_map(|name| on_path(name)));
    provide("Chromium", || find().is_some(), &["chromium"])?;
    find().context("Chromium was installed but isn't on PATH: name it in the variable CHROMIUM")
}

/// What gives the workers of some tests another clock. Where this process may not install it, those tests say that they are skipped.
fn faketime() -> Result<()> {
    if on_path("faketime").is_some() || !may_install() {
        return Ok(());
    }
    apt_install(&["faketime"])
}

fn node() -> Result<()> {
    let version = || node_version(&answer(Command::new("node").arg("--version"))?);
    let complete = || version().is_some_and(|found| found >= OLDEST_NODE) && on_path("npm").is_some();
    let (major, minor) = OLDEST_NODE;
    provide(&format!("Node {major}.{minor} or newer with npm"), complete, &["nodejs", "npm"])
}

/// Installs `end2end/node_modules` if they aren't what the lock file says.
fn node_packages(workspace: &Workspace) -> Result<()> {
    let directory = workspace.root().join("end2end");
    let lock = fs::read(directory.join("package-lock.json")).context("can't read end2end/package-lock.json")?;
    let installed = directory.join("node_modules/.installed-lock.json");
    if fs::read(&installed).is_ok_and(|known| known == lock) {
        return Ok(());
    }
    execute(workspace.command("npm").current_dir(&directory).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]))?;
    fs::write(&installed, lock).with_context(|| format!("can't write {}", installed.display()))
}

/// Installs Debian packages. Says what to type where this process may not.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    let line = format!("apt-get install {}", packages.join(" "));
    if !may_install() {
        bail!("run `{line}` as root");
    }
    eprintln!("   {line}");
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", "--no-remove"]] {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        if arguments.contains(&"install") {
            apt.args(packages);
        }
        execute(&mut apt)?;
    }
    Ok(())
}

/// Whether this process is root on Debian or a relative of it.
pub fn may_install() -> bool {
    is_debian() && answer(Command::new("id").arg("-u")).is_some_and(|uid| uid == "0")
}

pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|candidate| candidate.is_file())
}

fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}

fn provide(what: &str, installed: impl Fn() -> bool, debian_packages: &[&str]) -> Result<()> {
    if installed() {
        return Ok(());
    }
    if !is_debian() {
        bail!("{what} isn't installed: install it with this system's package manager and put it on PATH");
    }
    apt_install(debian_packages).with_context(|| format!("{what} isn't installed"))?;
    if !installed() {
        let packages = debian_packages.join(", ");
        bail!("{what} is needed, and this system's {packages} doesn't give it: install it by hand and put it on PATH");
    }
    Ok(())
}

fn node_version(answer: &str) -> Option<(u32, u32)> {
    let mut numbers = answer.strip_prefix('v')?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_compared_as_numbers() {
        assert!(node_version("v20.9.0").unwrap() < OLDEST_NODE);
        assert!(node_version("v22.4.0").unwrap() > OLDEST_NODE);
        assert_eq!(node_version("20"), None);
    }
}
