//! A tailnet of its own: headscale and three tailscaled, on this machine or inside of hosts of the lab, where the kernel
//! may route it.

use std::{
    env,
    fs::{self, File},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Host;
use super::lab::{left_out, unique};

/// The machine on which the console runs.
pub const OPERATOR: &str = "laptop";

const NODES: [&str; 3] = [OPERATOR, "nas", "pi4"];

/// A running tailnet, ended when it is dropped.
pub struct Tailnet {
    bin: PathBuf,
    dir: PathBuf,
    control: Child,
    url: String,
    nodes: Vec<(String, Child)>,
    placed: Vec<Placed>,
}

/// A node that runs inside of a host of the lab, in its network and with its files.
#[derive(Clone)]
pub struct Placed {
    pub node: &'static str,
    pub host: Host,
    /// Whether the host's kernel routes the tailnet and its resolver knows the names.
    pub kernel: bool,
}

impl Placed {
    /// The node's folder as this machine sees it; on the host it is [`Placed::inside`].
    fn folder(&self, dir: &Path) -> PathBuf {
        self.host.dir().join("srv").join(dir.file_name().unwrap())
    }

    fn inside(dir: &Path) -> PathBuf {
        Path::new("/srv").join(dir.file_name().unwrap())
    }

    fn end(&self, dir: &Path) {
        let at = Self::inside(dir);
        let at = at.display();
        let kernel = self.kernel;
        self.host.try_sh(&format!(
            "pid=$(cat {at}/pid) || exit 0; kill $pid; while kill -0 $pid; do sleep 0.05; done; \
             {kernel} && {at}/tailscaled --cleanup --statedir={at}/state --socket={at}/sock; rm -f {at}/pid"
        ));
    }
}

impl Tailnet {
    /// The tailnet with the operator and two servers; `None`, noted as left out, without the binaries.
    pub fn start() -> Option<Self> {
        Self::start_with(Ipv4Addr::LOCALHOST, &[])
    }

    /// The same with nodes inside of hosts of the lab, which reach this machine at an address.
    pub fn start_with(machine: Ipv4Addr, placed: &[Placed]) -> Option<Self> {
        let Some(bin) = env::var_os("TAILNET_BIN").map(PathBuf::from) else {
            left_out("no tailscaled and headscale are at hand (TAILNET_BIN is not set)");
            return None;
        };
        // Paths of sockets have to be short.
        let dir = Path::new("/tmp").join(unique("htl-tn"));
        fs::create_dir(&dir).unwrap();
        let port = free_port();
        let url = format!("http://{machine}:{port}");
        configure(&dir, machine, port);
        let log = File::create(dir.join("headscale.log")).unwrap();
        let control = Command::new(bin.join("headscale"))
            .arg("-c")
            .arg(dir.join("headscale.yaml"))
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut tailnet = Self {
            bin,
            dir,
            control,
            url,
            nodes: Vec::new(),
            placed: placed.to_vec(),
        };
        wait(20, "headscale", || {
            TcpStream::connect((machine, port)).is_ok()
        });
        tailnet.headscale(&["users", "create", "ops"]);
        for name in NODES {
            tailnet.start_node(name);
        }
        for name in NODES {
            let mut key = vec!["preauthkeys", "create", "--user", "1"];
            if name != OPERATOR {
                key.extend(["--tags", "tag:server"]);
            }
            let key = tailnet.headscale(&key);
            let key = key.lines().last().unwrap().trim().to_owned();
            tailnet.log_in(name, &format!("--auth-key={key}"));
        }
        wait(20, "the tailnet", || {
            let peers = tailnet.status(OPERATOR);
            let peers = peers["Peer"].as_object().cloned().unwrap_or_default();
            peers.len() == 2 && peers.values().all(|peer| peer["Online"] == true)
        });
        Some(tailnet)
    }

    /// Starts a node's tailscaled, again after it was killed.
    pub fn start_node(&mut self, name: &str) {
        if let Some(placed) = self.placed(name) {
            return self.start_inside(&placed.clone());
        }
        let log = File::create(self.dir.join(format!("{name}.log"))).unwrap();
        let node = Command::new(self.bin.join("tailscaled"))
            .args(["--tun=userspace-networking", "--port=0"])
            .arg(format!("--statedir={}", self.dir.join(name).display()))
            .arg(format!("--socket={}", self.socket(name).display()))
            .env("TS_NO_LOGS_NO_SUPPORT", "true")
            .env("TS_DEBUG_USE_DERP_HTTP", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.nodes.push((name.to_owned(), node));
    }

    fn start_inside(&self, placed: &Placed) {
        let folder = placed.folder(&self.dir);
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("tailscaled");
        if !program.exists() {
            // What the host sees of this machine may not hold the folder of the binaries.
            fs::copy(self.bin.join("tailscaled"), program).unwrap();
        }
        let _ = fs::remove_file(folder.join("sock"));
        let at = Placed::inside(&self.dir);
        let at = at.display();
        let tun = match placed.kernel {
            true => "tailscale0",
            false => "userspace-networking",
        };
        placed.host.sh(&format!(
            "export TS_NO_LOGS_NO_SUPPORT=true TS_DEBUG_USE_DERP_HTTP=1; mkdir -p {at}/state; \
             setsid {at}/tailscaled --tun={tun} --port=0 --statedir={at}/state --socket={at}/sock \
             </dev/null >{at}/log 2>&1 & echo $! >{at}/pid"
        ));
    }

    fn placed(&self, name: &str) -> Option<&Placed> {
        self.placed.iter().find(|placed| placed.node == name)
    }

    /// Kills a node's tailscaled, as a power cut would.
    pub fn kill_node(&mut self, name: &str) {
        if let Some(placed) = self.placed(name) {
            let at = Placed::inside(&self.dir);
            let at = at.display();
            placed.host.sh(&format!("kill -9 $(cat {at}/pid)"));
            return;
        }
        let place = self.nodes.iter().position(|(node, _)| node == name);
        let (_, mut node) = self.nodes.remove(place.unwrap());
        node.kill().unwrap();
        node.wait().unwrap();
    }

    /// Stops a node's tailscaled without a word, as a pulled cable would, or lets it go on.
    pub fn freeze_node(&self, name: &str, frozen: bool) {
        let (_, node) = self.nodes.iter().find(|(node, _)| node == name).unwrap();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        done(Command::new("kill").args([signal, &node.id().to_string()]));
    }

    /// Lets Tailscale SSH `accept` logins, or `check` each first.
    pub fn ssh_policy(&self, action: &str) {
        fs::write(self.dir.join("policy.json"), policy(action)).unwrap();
        done(Command::new("kill").args(["-HUP", &self.control.id().to_string()]));
    }

    pub fn log_in(&self, name: &str, key: &str) {
        let url = format!("--login-server={}", self.url);
        let host = format!("--hostname={name}");
        let is_routed = self.placed(name).is_some_and(|placed| placed.kernel);
        let names = format!("--accept-dns={}", is_routed && name == OPERATOR);
        let mut args = vec!["up", &url, &host, &names, key];
        if is_routed {
            // The rules of the host's firewall are its engine's.
            args.push("--netfilter-mode=off");
        }
        self.tailscale(name, &args);
    }

    /// The name of the folder that each host with a node has below `/srv`.
    pub fn name(&self) -> &str {
        self.dir.file_name().unwrap().to_str().unwrap()
    }

    pub fn socket(&self, name: &str) -> PathBuf {
        if let Some(placed) = self.placed(name) {
            return placed.folder(&self.dir).join("sock");
        }
        self.dir.join(format!("{name}.sock"))
    }

    pub fn command(&self) -> PathBuf {
        self.bin.join("tailscale")
    }

    /// Runs the command on a node; must succeed.
    pub fn tailscale(&self, name: &str, args: &[&str]) -> String {
        let socket = format!("--socket={}", self.socket(name).display());
        let mut command = Command::new(self.command());
        // Just started it may not answer yet.
        wait(10, "tailscaled's socket", || self.socket(name).exists());
        done(command.arg(socket).args(args))
    }

    /// What a node says of the tailnet.
    pub fn status(&self, name: &str) -> Value {
        serde_json::from_str(&self.tailscale(name, &["status", "--json"])).unwrap()
    }

    /// Runs headscale's own command; must succeed.
    pub fn headscale(&self, args: &[&str]) -> String {
        let mut command = Command::new(self.bin.join("headscale"));
        let config = self.dir.join("headscale.yaml");
        done(command.arg("-c").arg(config).args(args))
    }

    /// The number under which headscale knows a node.
    pub fn number(&self, name: &str) -> String {
        let list: Value =
            serde_json::from_str(&self.headscale(&["nodes", "list", "-o", "json"])).unwrap();
        let named = |node: &&Value| node["given_name"] == name;
        let node = list.as_array().unwrap().iter().find(named);
        node.unwrap()["id"].to_string()
    }
}

impl Drop for Tailnet {
    fn drop(&mut self) {
        for (_, node) in &mut self.nodes {
            drop(node.kill());
            drop(node.wait());
        }
        for placed in &self.placed {
            placed.end(&self.dir);
            if !thread::panicking() {
                drop(fs::remove_dir_all(placed.folder(&self.dir)));
            }
        }
        drop(self.control.kill());
        drop(self.control.wait());
        if !thread::panicking() {
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}

/// Waits at most so many seconds.
pub fn wait(seconds: u64, what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(seconds);
    while !is_so() {
        assert!(Instant::now() < patience, "waited {seconds} s for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Leads a port of the loopback to another place, for the life of the process; tells the port.
///
/// A tailscaled that the kernel knows nothing of hands what comes for it to the loopback.
pub fn lead_to(place: &str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = place.to_owned();
    thread::spawn(move || {
        for here in listener.incoming().flatten() {
            let Ok(there) = TcpStream::connect(&place) else {
                continue;
            };
            let back = (there.try_clone().unwrap(), here.try_clone().unwrap());
            for (mut from, mut to) in [(here, there), back] {
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    port
}

fn configure(dir: &Path, machine: Ipv4Addr, port: u16) {
    let url = format!("http://{machine}:{port}");
    let stun = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stun = stun.local_addr().unwrap().port();
    let grpc = free_port();
    let at = dir.display();
    fs::write(dir.join("policy.json"), policy("accept")).unwrap();
    let text = format!(
        "server_url: {url}\nlisten_addr: {machine}:{port}\nmetrics_listen_addr: ''\n\
         grpc_listen_addr: 127.0.0.1:{grpc}\ngrpc_allow_insecure: true\n\
         noise: {{private_key_path: {at}/noise.key}}\n\
         prefixes: {{v4: 100.64.0.0/10, v6: 'fd7a:115c:a1e0::/48', allocation: sequential}}\n\
         derp:\n  server: {{enabled: true, region_id: 999, region_code: lab, region_name: lab, \
         stun_listen_addr: '{machine}:{stun}', private_key_path: {at}/derp.key, \
         automatically_add_embedded_derp_region: true}}\n  urls: []\n  paths: []\n  auto_update_enabled: false\n\
         disable_check_updates: true\n\
         database: {{type: sqlite, sqlite: {{path: {at}/db.sqlite}}}}\n\
         dns: {{magic_dns: true, base_domain: lab.test, override_local_dns: false, nameservers: {{global: []}}}}\n\
         unix_socket: {at}/headscale.sock\nunix_socket_permission: '0700'\n\
         policy: {{mode: file, path: {at}/policy.json}}\n"
    );
    fs::write(dir.join("headscale.yaml"), text).unwrap();
}

fn policy(action: &str) -> String {
    r#"{"tagOwners":{"tag:server":["ops@"]},"acls":[{"action":"accept","src":["*"],"dst":["*:*"]}],
        "ssh":[{"action":"ACTION","src":["ops@"],"dst":["tag:server"],"users":["root"]}]}"#
        .replace("ACTION", action)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn done(command: &mut Command) -> String {
    let output: Output = command.stdin(Stdio::null()).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {err}");
    String::from_utf8(output.stdout).unwrap()
}
