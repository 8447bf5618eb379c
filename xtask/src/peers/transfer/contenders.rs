//! Everybody who moves files, and how each is told to.

use std::path::{Path, PathBuf};

use coaddkit_testkit::{Store, tool};

use crate::coadds::{MANIFEST, NAMES};
use crate::peers::machine::{our_version, version};
use crate::peers::{Contender, Expected};
use crate::{files, tools};

/// The name by which the targets find our figures.
pub const OURS: &str = "coaddkit";

/// Memory that we may take for files under way, in MiB.
pub const BUDGET_MIB: u64 = 512;

/// From where to where.
pub struct Route<'a> {
    /// The address of the origin, without a slash at the end.
    pub origin: String,
    /// The folder that it serves.
    pub tree: &'a Path,
    /// Where each contender gets a folder of its own.
    pub place: &'a Path,
    /// The server whose bucket lies in `place`, if it is not simply a folder.
    pub store: Option<&'a Store>,
    /// Files at once.
    pub streams: usize,
    /// For lists and reports.
    pub work: &'a Path,
}

impl Route<'_> {
    /// Everybody who can go this way, ours first, and the absent with the reason.
    pub fn contenders(&self) -> Result<(Vec<Contender>, Vec<String>), String> {
        let (mut list, mut absent) = (Vec::new(), Vec::new());
        let mut add = |name: &str, made: Result<(String, Vec<String>), String>| match made {
            Ok((version, argv)) => {
                let argv = [self.environment(), argv].concat();
                list.push(Contender { name: name.to_owned(), version, argv, expected: Expected::Nothing });
            }
            Err(why) => absent.push(format!("{name}: {why}")),
        };
        add(OURS, self.ours());
        add("rclone", self.rclone());
        add("obstore", self.python("obstore", &["obstore"]));
        let modules: &[&str] = if self.store.is_some() { &["requests", "boto3"] } else { &["requests"] };
        add("requests", self.python("requests", modules));
        if self.store.is_some() {
            add("s5cmd", self.s5cmd());
        } else {
            add("curl", self.curl()?);
            add("aria2", self.aria2()?);
        }
        Ok((list, absent))
    }

    /// Where a contender is to put its files.
    fn dest(&self, name: &str) -> String {
        match self.store {
            Some(store) => format!("s3://{}/{name}", store.bucket()),
            None => self.place.join(name).display().to_string(),
        }
    }

    /// What leads a program to the store.
    fn environment(&self) -> Vec<String> {
        let Some(store) = self.store else { return Vec::new() };
        let variables = store.environment().map(|(name, value)| format!("{name}={value}"));
        std::iter::once("env".to_owned()).chain(variables).collect()
    }

    fn manifest(&self) -> Result<Vec<String>, String> {
        let path = self.tree.join(MANIFEST);
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(text.lines().filter_map(|line| Some(line.split_once('\t')?.0.to_owned())).collect())
    }

    /// Writes a list that a program reads.
    fn list(&self, name: &str, line: impl Fn(&str) -> String) -> Result<String, String> {
        let path = self.work.join(name);
        let text: String = self.manifest()?.iter().map(|path| line(path) + "\n").collect();
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path.display().to_string())
    }

    fn ours(&self) -> Result<(String, Vec<String>), String> {
        let program = files::target().join("release/coadd-cache").display().to_string();
        let bricks = self.tree.join(NAMES).display().to_string();
        let report = self.work.join("report").display().to_string();
        let mut argv = vec![program, "fill".to_owned()];
        for (option, value) in [
            ("--bricks", bricks),
            ("--source", self.origin.clone()),
            ("--cache", self.dest(OURS)),
            ("--connections", self.streams.to_string()),
            ("--memory", BUDGET_MIB.to_string()),
            ("--report", report),
        ] {
            argv.extend([option.to_owned(), value]);
        }
        argv.push("--quiet".to_owned());
        build().map(|()| (our_version(), argv))
    }

    fn rclone(&self) -> Result<(String, Vec<String>), String> {
        let program = program("rclone")?;
        let names = self.list("rclone.txt", str::to_owned)?;
        let dest = match self.store {
            // The slash at the end says that it is a folder: s3s-fs fails when it is asked whether it is an object.
            Some(store) => {
                let (access, secret) = store.keys();
                format!(
                    ":s3,provider=Other,access_key_id={access},secret_access_key={secret},endpoint='{}',\
                     force_path_style=true:{}/rclone/",
                    store.endpoint(),
                    store.bucket()
                )
            }
            None => self.dest("rclone"),
        };
        let streams = self.streams.to_string();
        let base = format!("{}/", self.origin);
        let said = version(&program, &["version"]);
        let argv =
            ["copy", "--config", "/dev/null", "--http-url", &base, ":http:", &dest, "--files-from-raw"];
        let more = [&names, "--no-traverse", "--transfers", &streams, "--checkers", &streams];
        Ok((said, words(&program, &[&argv[..], &more].concat())))
    }

    fn python(&self, peer: &str, modules: &[&str]) -> Result<(String, Vec<String>), String> {
        let python = tools::python(modules)?;
        let script = files::root().join("benches/peers/transfer.py").display().to_string();
        let said = tools::output(tools::command(&python).args([&script, "versions"]))?;
        let versions = said.lines().filter(|line| modules.iter().any(|m| line.starts_with(m)));
        let versions = versions.collect::<Vec<_>>().join(", ");
        let base = format!("{}/", self.origin);
        let manifest = self.tree.join(MANIFEST).display().to_string();
        let (dest, streams) = (self.dest(peer), self.streams.to_string());
        let args = [&script, peer, &base, &manifest, &dest, &streams];
        Ok((versions, words(&python.display().to_string(), &args)))
    }

    /// It reads no HTTP: from the folder that the origin serves.
    fn s5cmd(&self) -> Result<(String, Vec<String>), String> {
        let program = program("s5cmd")?;
        let tree = format!("{}/", self.tree.display());
        let (dest, streams) = (format!("{}/", self.dest("s5cmd")), self.streams.to_string());
        // It does not look at AWS_ENDPOINT_URL.
        let endpoint = self.store.map(Store::endpoint).unwrap_or_default();
        let args = ["--endpoint-url", &endpoint, "--numworkers", &streams];
        let what = ["sync", "--size-only", "--exclude", "*.txt", &tree, &dest];
        let args = [&args[..], &what].concat();
        Ok((format!("{}, from local files", version(&program, &["version"])), words(&program, &args)))
    }

    /// Fails as a whole if its list cannot be written; it may well be absent.
    fn curl(&self) -> Result<Result<(String, Vec<String>), String>, String> {
        let dest = self.dest("curl");
        let origin = &self.origin;
        let line = |path: &str| format!("url = \"{origin}/{path}\"\noutput = \"{dest}/{path}\"");
        let config = self.list("curl.txt", line)?;
        Ok(program("curl").map(|program| {
            let streams = self.streams.to_string();
            let said = version(&program, &["--version"]);
            let said = said.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
            let args = ["-sfZ", "--parallel-max", &streams, "--retry", "5", "--create-dirs", "-K", &config];
            (said, words(&program, &args))
        }))
    }

    fn aria2(&self) -> Result<Result<(String, Vec<String>), String>, String> {
        let dest = self.dest("aria2");
        let line = |path: &str| {
            let (dir, name) = path.rsplit_once('/').unwrap_or((".", path));
            format!("{}/{path}\n  dir={dest}/{dir}\n  out={name}", self.origin)
        };
        let input = self.list("aria2.txt", line)?;
        Ok(program("aria2c").map(|program| {
            let said = version(&program, &["--version"]);
            let jobs = format!("-j{}", self.streams);
            let args = ["-q", "-i", &input, &jobs, "-x1", "-s1", "-c", "--auto-file-renaming=false"];
            let more = ["--file-allocation=none", "--conditional-get=true", "--allow-overwrite=true"];
            (said, words(&program, &[&args[..], &more].concat()))
        }))
    }
}

/// Ours, once for all routes.
fn build() -> Result<(), String> {
    let args = ["build", "--release", "--quiet", "-p", "coaddkit-examples", "--bin", "coadd-cache"];
    tools::output(tools::cargo().args(args)).map(|_| ()).map_err(|why| {
        let first = why.lines().find(|line| line.contains("error")).unwrap_or("it does not build");
        first.to_owned()
    })
}

fn program(name: &str) -> Result<String, String> {
    let path: Option<PathBuf> = tool(name);
    path.map(|path| path.display().to_string()).ok_or_else(|| "it is not installed".to_owned())
}

fn words(program: &str, args: &[&str]) -> Vec<String> {
    std::iter::once(program).chain(args.iter().copied()).map(str::to_owned).collect()
}
