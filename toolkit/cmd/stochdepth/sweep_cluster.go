package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/sweep"
)

func sweepSlurmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "slurm NAME",
		Short: "Write a Slurm job array for the runs of a sweep that are not done, and submit it",
		Long: `Write a Slurm job array for the runs of a sweep that are not done, and submit it.

Each task makes one run. The machines must share this folder. A task that is preempted, requeued or at its
time limit goes on from its checkpoint; one whose process is killed is requeued up to three times.`,
		Example: `  stochdepth sweep slurm fig8-left --time 2h --cpus 4 --memory 8G
  stochdepth sweep slurm cifar10 --gpus 1 --partition gpu --at-once 8 --submit=false`,
		Args: cobra.ExactArgs(1),
	}
	read, folder := sweepFlags(cmd)
	dataRoot := dataRootFlag(cmd)
	o := sweep.SlurmOptions{}
	flags := cmd.Flags()
	flags.StringVar(&o.Partition, "partition", "", "Slurm's partition (default: the cluster's)")
	flags.DurationVar(&o.Time, "time", 0, "time limit per task, after which it is requeued and goes on (default: the partition's)")
	flags.IntVar(&o.CPUs, "cpus", 0, "processors per task (default: the cluster's)")
	flags.StringVar(&o.Memory, "memory", "", "memory per task, such as 8G (default: the cluster's)")
	flags.IntVar(&o.GPUs, "gpus", 0, "GPUs per task")
	flags.IntVar(&o.AtOnce, "at-once", 0, "tasks at the same time (default: as many as fit)")
	flags.StringArrayVar(&o.Extra, "sbatch", nil, "a further option of sbatch, as --sbatch=--account=mine; may be repeated")
	file := flags.String("file", "", "the script to write (default .out/sweeps/NAME.sbatch)")
	submit := flags.Bool("submit", true, "submit it, instead of writing it only")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := read(args[0])
		if err != nil {
			return err
		}
		if o.Command, err = self(); err != nil {
			return err
		}
		if *file == "" {
			*file = outFile(s.Name + ".sbatch")
		}
		o.Runs, o.DataRoot, o.Root = *folder, *dataRoot, inProject()
		o.Logs = filepath.Join(filepath.Dir(*file), s.Name+"-%A_%a.log")
		script, err := s.Slurm(o)
		if err != nil {
			return err
		}
		if err := writeOut(cmd, *file, script); err != nil || !*submit {
			return err
		}
		answer, err := sweep.Submit(cmd.Context(), *file)
		fmt.Fprint(cmd.OutOrStdout(), answer)
		return err
	}
	return cmd
}

func sweepKubernetesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubernetes NAME",
		Short: "Write a Kubernetes Indexed Job for a sweep, and a Containerfile for its image",
		Long: `Write a Kubernetes Indexed Job for a sweep, and a Containerfile for its image.

Each pod makes one run; the pods share the folder of a persistent volume claim, which needs the access mode
ReadWriteMany. Evicted and preempted pods are replaced and go on from the checkpoint; a run that fails three
times does not stop the others.`,
		Args: cobra.ExactArgs(1),
	}
	read, _ := sweepFlags(cmd)
	o := sweep.KubernetesOptions{}
	flags := cmd.Flags()
	flags.StringVar(&o.Image, "image", "stochdepth:latest", "the container image, as your cluster names it")
	flags.StringVar(&o.Claim, "claim", "stochdepth", "the persistent volume claim that all pods share")
	flags.StringVar(&o.Namespace, "namespace", "", "the namespace (default: kubectl's)")
	flags.StringVar(&o.CPUs, "cpus", "4", "processors per pod")
	flags.StringVar(&o.Memory, "memory", "8Gi", "memory per pod")
	flags.IntVar(&o.GPUs, "gpus", 0, "GPUs per pod")
	flags.IntVar(&o.AtOnce, "at-once", 8, "pods at the same time")
	file := flags.String("file", "", "the manifest to write (default .out/sweeps/NAME.yaml)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := read(args[0])
		if err != nil {
			return err
		}
		manifest, err := s.Kubernetes(o)
		if err != nil {
			return err
		}
		if *file == "" {
			*file = outFile(s.Name + ".yaml")
		}
		container := filepath.Join(filepath.Dir(*file), "Containerfile")
		if err := writeOut(cmd, *file, manifest); err != nil {
			return err
		}
		if err := writeOut(cmd, container, sweep.Containerfile); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Then, in the project's folder:\n  podman build -f %s --build-arg COMMIT=$(git rev-parse --short=12 HEAD) -t %s . && podman push %[2]s\n  kubectl apply -f %[3]s\n", container, o.Image, *file)
		return nil
	}
	return cmd
}

func writeOut(cmd *cobra.Command, path, text string) error {
	if err := disk.MkdirAll(filepath.Dir(path)); err != nil {
		return files.WriteError(path, err)
	}
	if err := files.Write(path, []byte(text)); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "wrote", path)
	return nil
}
