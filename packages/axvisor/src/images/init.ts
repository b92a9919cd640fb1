/** The first process of our Debian guests, a script for busybox's ash. */

/** The line by which /init says that it runs. */
export const INIT_MARKER = 'axvisor: init';

/** What stands before the exit status of a command given by `axvisor.run`. */
export const EXIT_MARKER = 'axvisor: exit ';

/**
 * The script.
 *
 * - Drivers are loaded for the devices that are there, so that a guest without disk or network starts no slower for them.
 * - busybox's init takes over as process 1: it starts the shell with default signals (those a script starts in the background
 *   ignore Ctrl-C), again when it ends, and does what `poweroff`, `reboot` and `halt` tell it by signal.
 * - `axvisor.run="…"` on the kernel's command line is run in place of the shell; it may hold single quotes, not double ones.
 */
export const INIT_SCRIPT: string = `#!/bin/busybox sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/root TERM=linux PS1='\\w \\$ '

/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev 2>/dev/null
/bin/busybox mkdir -p /dev/pts /dev/shm
/bin/busybox mount -t devpts devpts /dev/pts
echo '${INIT_MARKER}'

/bin/busybox --install -s
mount -t tmpfs tmpfs /dev/shm
hostname axvisor
ifconfig lo 127.0.0.1 up 2>/dev/null

drivers() {
  aliases=$(cat "$@" 2>/dev/null | sort -u)
  [ -z "$aliases" ] || modprobe -a -b -q $aliases 2>/dev/null
}
drivers /sys/bus/platform/devices/*/modalias /sys/bus/pci/devices/*/modalias
drivers /sys/bus/virtio/devices/*/modalias

read -r line </proc/cmdline
command=
case " $line" in
*' axvisor.run="'*) command=\${line#*axvisor.run=\\"} command=\${command%%\\"*} ;;
*' axvisor.run='*) command=\${line#*axvisor.run=} command=\${command%% *} ;;
esac

cd /root
if [ -n "$command" ]; then
  setsid cttyhack sh -c "$command" </dev/console
  echo '${EXIT_MARKER}'$?
  sync
  # Setting the terminal waits until all output has left it.
  stty opost </dev/console 2>/dev/null
  poweroff -f
fi
# init sets HOME to / and goes there.
echo "::respawn:/bin/sh -c 'export HOME=/root; cd; exec cttyhack sh'" >/etc/inittab
exec /sbin/init
`;
