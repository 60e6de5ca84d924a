package commands

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/sweep"
)

func sweepSlurmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "slurm NAME",
		Short: "Write a Slurm job array for the runs of a sweep that are not done, and submit it",
		Long: `Write a Slurm job array for the runs of a sweep that are not done, and submit it.

Each task makes one run. The machines must share this folder. A task that is preempted, requeued or at its
time limit continues from its checkpoint; one whose process is killed is requeued up to three times. A sweep with
more runs than the cluster allows in one array becomes several, in scripts NAME.sbatch, NAME-2.sbatch, and so on.`,
		Example: `  stochdepth sweep slurm fig8-left --time 2h --cpus 4 --memory 8G
  stochdepth sweep slurm cifar10 --gpus 1 --partition gpu --at-once 8 --submit=false`,
		Args: cobra.ExactArgs(1),
	}
	read, folder := sweepFlags(cmd)
	dataRoot := dataRootFlag(cmd)
	o := sweep.SlurmOptions{}
	flags := cmd.Flags()
	flags.StringVar(&o.Partition, "partition", "", "Slurm's partition (default: the cluster's)")
	flags.Var((*slurmTime)(&o.Time), "time",
		"time limit per task, after which it is requeued and continues: 2h, or Slurm's 2:00:00 (default: the partition's)")
	flags.IntVar(&o.CPUs, "cpus", 0, "processors per task (default: the cluster's)")
	flags.StringVar(&o.Memory, "memory", "", "memory per task, such as 8G (default: the cluster's)")
	flags.IntVar(&o.GPUs, "gpus", 0, "GPUs per task")
	flags.IntVar(&o.AtOnce, "at-once", 0, "tasks at the same time (default: as many as fit)")
	flags.IntVar(&o.ArraySize, "array-size", 0, "tasks per job array (default: the cluster's MaxArraySize, from scontrol)")
	flags.StringArrayVar(&o.Extra, "sbatch", nil, "a further option of sbatch, as --sbatch=--account=mine; may be repeated")
	file := flags.String("file", "", "the script to write (default .out/sweeps/NAME.sbatch)")
	submit := flags.Bool("submit", true, "submit the script; false only writes it")
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
		known := true // whether the largest size of an array is known
		if o.ArraySize == 0 {
			if o.ArraySize, known = sweep.ArraySize(cmd.Context()); known && o.ArraySize < 1 {
				return errors.New("this Slurm has no job arrays (its MaxArraySize is 0): " +
					"use `stochdepth sweep run` in a job of your own")
			}
		}
		scripts, err := s.Slurm(o)
		if err != nil {
			return err
		}
		if len(scripts) > 1 {
			fmt.Fprintln(cmd.OutOrStdout(), severalArrays(o, len(scripts), known, *submit))
		}
		return submitArrays(cmd, *file, scripts, o.AtOnce > 0, *submit)
	}
	return cmd
}

// severalArrays says why a sweep needs several job arrays.
func severalArrays(o sweep.SlurmOptions, arrays int, known, submit bool) string {
	size, why := o.ArraySize, "MaxArraySize"
	if !known {
		size, why = sweep.DefaultArraySize, "Slurm's default: there is no scontrol to ask; --array-size sets another"
	}
	text := fmt.Sprintf("%d job arrays, of %s tasks at most (%s)", arrays, say.Grouped(size), why)
	switch {
	case o.AtOnce > 0 && submit:
		text += ", one after the other, since --at-once applies to each array"
	case o.AtOnce > 0:
		text += ": submit each when the previous one has ended, since --at-once applies to each array"
	}
	return text
}

// submitArrays writes the scripts of job arrays to file, file-2 and so on, and submits them if submit is set: one by one, so
// that each begins when the previous one has ended, or all at once.
func submitArrays(cmd *cobra.Command, file string, scripts []string, oneByOne, submit bool) error {
	extension := filepath.Ext(file)
	paths := make([]string, len(scripts))
	for i, script := range scripts {
		paths[i] = file
		if i > 0 {
			paths[i] = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(file, extension), i+1, extension)
		}
		if err := writeOut(cmd, paths[i], script); err != nil {
			return err
		}
	}
	before := ""
	for _, path := range paths {
		if !submit {
			break
		}
		answer, err := sweep.Submit(cmd.Context(), path, before)
		fmt.Fprint(cmd.OutOrStdout(), answer)
		if err != nil {
			return err
		}
		if oneByOne {
			before = answer
		}
	}
	return nil
}

// slurmTime is a flag's time limit, see [sweep.ParseTime].
type slurmTime time.Duration

func (t *slurmTime) Type() string { return "time" }

func (t *slurmTime) String() string {
	if *t == 0 {
		return "" // no default to show
	}
	return time.Duration(*t).String()
}

func (t *slurmTime) Set(text string) error {
	parsed, err := sweep.ParseTime(text)
	*t = slurmTime(parsed)
	return err
}

func sweepKubernetesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubernetes NAME",
		Short: "Write a Kubernetes Indexed Job for a sweep, and a Containerfile for its image",
		Long: `Write a Kubernetes Indexed Job for a sweep, and a Containerfile for its image.

Each pod makes one run; the pods share the folder of a persistent volume claim, which needs the access mode
ReadWriteMany. Evicted and preempted pods are replaced and continue from the checkpoint; a run that fails three
times does not stop the others.`,
		Args: cobra.ExactArgs(1),
	}
	read, _ := sweepFlags(cmd)
	o := sweep.KubernetesOptions{}
	flags := cmd.Flags()
	flags.StringVar(&o.Image, "image", "stochdepth:latest", "the container image, as your cluster names it")
	flags.StringVar(&o.Claim, "claim", "stochdepth", "the persistent volume claim that all pods share")
	flags.StringVar(&o.Namespace, "namespace", "", "the namespace (default: kubectl's)")
	flags.StringVar(&o.CPUs, "cpus", "4", "processors per pod, as request and limit")
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
		fmt.Fprintf(cmd.OutOrStdout(), "Then, in the project's folder:\n"+
			"  podman build -f %s --build-arg COMMIT=$(git rev-parse --short=12 HEAD) -t %s . && podman push %[2]s\n"+
			"  kubectl apply -f %[3]s\n", container, o.Image, *file)
		return nil
	}
	return cmd
}

func writeOut(cmd *cobra.Command, path, text string) error {
	if err := files.Make(path, []byte(text)); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "wrote", path)
	return nil
}
