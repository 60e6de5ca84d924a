#!/bin/bash
# Starts a Slurm of one machine, for the tests, with everything in one folder:
#
#   slurm.sh start DIR    then: export SLURM_CONF=DIR/slurm.conf
#   slurm.sh stop DIR
#
# It needs root and Debian's packages slurm-wlm and munge, and no systemd: it works in a container.
set -euo pipefail
dir=$(realpath -m "$2")

start() {
	mkdir -p "$dir"/{munge,state,spool}
	head -c 1024 /dev/urandom > "$dir/munge/key"
	chmod 700 "$dir/munge"
	chmod 600 "$dir/munge/key"
	chown -R munge: "$dir/munge"
	# munged demands that nobody else may write to the folders above its socket, so the socket lies elsewhere.
	mkdir -p /run/munge
	chown munge: /run/munge
	chmod 755 /run/munge
	runuser -u munge -- munged --force --key-file="$dir/munge/key" --pid-file="$dir/munge/pid" \
		--log-file="$dir/munge/log" --seed-file="$dir/munge/seed" --socket=/run/munge/stochdepth.socket

	cat > "$dir/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$(hostname -s)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=/run/munge/stochdepth.socket,cred_expire=5
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=30
SchedulerParameters=sched_interval=2
NodeName=$(hostname -s) CPUs=2 Boards=1 Sockets=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
	export SLURM_CONF="$dir/slurm.conf"
	slurmctld
	slurmd
	for _ in $(seq 60); do
		if sinfo --noheader --format=%T 2>/dev/null | grep -q idle; then
			return
		fi
		sleep 0.5
	done
	tail -n 5 "$dir"/*.log >&2
	echo "Slurm did not start" >&2
	exit 1
}

stop() {
	export SLURM_CONF="$dir/slurm.conf"
	for name in slurmd slurmctld munge/pid; do
		file="$dir/$name"
		[ -e "$file" ] || file="$dir/$name.pid"
		if [ -e "$file" ]; then
			kill "$(cat "$file")" 2>/dev/null || true
		fi
	done
}

"$1"
