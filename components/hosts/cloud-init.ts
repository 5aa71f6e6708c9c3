import { stringify } from 'yaml';
import { daemonEnvironment } from '../../engine/daemon.js';

/** Who logs in; the image's own default user gets this name. */
export const loginUser = 'rehearsal';
/** The host's end of life, ISO 8601, UTC. Whoever prolongs a stack writes it anew. */
export const expiryFile = '/etc/rehearsal/expires-at';
/** There once Docker answers. */
export const readyFile = '/run/rehearsal/ready';

interface CloudInitArgs {
  hostPrivateKey: string;
  hostPublicKey: string;
  /** ISO 8601, UTC. */
  expiresAt: string;
}

const expiryScript = '/usr/local/sbin/rehearsal-expiry';
const readyScript = '/usr/local/sbin/rehearsal-ready';
const unitFolder = '/etc/systemd/system';

/** What cannot be read is over: better a host too few than one that nobody ends. */
const expiryCommands = `#!/bin/sh
expires=$(date -d "$(cat ${expiryFile})" +%s)
[ "$(date +%s)" -lt "$expires" ] || systemctl poweroff
`;

const expiryService = `[Unit]
Description=Power this host off at its end of life

[Service]
Type=oneshot
ExecStart=${expiryScript}
`;

const expiryTimer = `[Unit]
Description=Look every minute whether this host's end of life has come

[Timer]
OnBootSec=60
OnUnitActiveSec=60
AccuracySec=1

[Install]
WantedBy=timers.target
`;

const daemonSettings = `${unitFolder}/docker.service.d/rehearsal.conf`;

const daemonService = `[Service]
${Object.entries(daemonEnvironment)
  .map(([name, value]) => `Environment=${name}=${value}\n`)
  .join('')}`;

const dockerDeadlineSeconds = 60;

const readyCommands = `#!/bin/sh
set -eu
mkdir -p ${readyFile.slice(0, readyFile.lastIndexOf('/'))}
timeout ${String(dockerDeadlineSeconds)} sh -c 'until docker version >/dev/null 2>&1; do sleep 0.5; done' || {
  echo "Docker did not answer within ${String(dockerDeadlineSeconds)} s:" >&2
  docker version >&2
  exit 1
}
touch ${readyFile}
`;

/**
 * The user data of a Debian or Ubuntu host: its end of life before anything else, then its ssh host key, then Docker.
 * Who may log in comes from the instance's key pair.
 */
export function cloudInit({ hostPrivateKey, hostPublicKey, expiresAt }: CloudInitArgs): string {
  const document = {
    // First of all and on each boot, so that a host whose installation hangs ends as well.
    bootcmd: [
      writeOnce(expiryFile, `${expiresAt}\n`, '0644'),
      writeOnce(expiryScript, expiryCommands, '0755'),
      writeOnce(`${unitFolder}/rehearsal-expiry.service`, expiryService, '0644'),
      writeOnce(`${unitFolder}/rehearsal-expiry.timer`, expiryTimer, '0644'),
      ['systemctl', 'daemon-reload'],
      ['systemctl', 'enable', 'rehearsal-expiry.timer'],
      // systemd itself waits for this command.
      ['systemctl', 'start', '--no-block', 'rehearsal-expiry.timer'],
    ],
    user: { name: loginUser, groups: ['docker'], lock_passwd: true },
    users: ['default'],
    ssh_pwauth: false,
    // There as it is; another one would have to be generated.
    locale: 'C.UTF-8',
    // With keys given, no others are made.
    ssh_keys: { ed25519_private: hostPrivateKey, ed25519_public: hostPublicKey },
    package_update: true,
    packages: ['docker.io'],
    write_files: [
      { path: readyScript, permissions: '0755', content: readyCommands },
      // There before the package, which starts the daemon.
      { path: daemonSettings, permissions: '0644', content: daemonService },
    ],
    runcmd: [[readyScript]],
  };
  return `#cloud-config\n${stringify(document)}`;
}

/** A command: `write_files` comes after `bootcmd`, and would undo what was written since the first boot. */
function writeOnce(path: string, content: string, mode: string): string[] {
  const script = '[ -e "$1" ] && exit; mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1" && chmod "$3" "$1"';
  return ['sh', '-c', script, 'sh', path, content, mode];
}
