package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"parley/internal/f32"
)

// kernelsVariable names the environment variable that chooses the kernels of
// networks.
const kernelsVariable = "PARLEY_KERNELS"

func newVersionCommand(io streams) *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long: `Print the version of this program; with --verbose also what it was built of, and
which kernels its networks run on. The fastest for the processor are chosen; the
environment variable ` + kernelsVariable + ` chooses others by name. Runs under avx2,
avx512 and neon agree bit for bit, under generic in all but the last digits.`,
		Example: "  parley version\n  parley version --verbose",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(io.out, "parley", version())
			if verbose {
				fmt.Fprintf(io.out, "revision  %s\ngo        %s\nplatform  %s/%s\nkernels   %s\n",
					revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH, kernels())
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&verbose, "verbose", false, "also print the revision, the Go version, the platform and the kernels")
	return cmd
}

// version returns the module's version as the build recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// kernels tells which kernels are in use, and of which.
func kernels() string {
	available, inUse := f32.Kernels()
	return fmt.Sprintf("%s, of %s", inUse, strings.Join(available, ", "))
}

// chooseKernels follows the environment variable, if it is set.
func chooseKernels(name string) error {
	if name == "" {
		return nil
	}
	if err := f32.Use(name); err != nil {
		return usagef("the environment variable %s: %w", kernelsVariable, err)
	}
	return nil
}

// revision returns the commit of the sources as the build recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	switch {
	case settings["vcs.revision"] == "":
		return "unknown"
	case settings["vcs.modified"] == "true":
		return settings["vcs.revision"] + ", with changes, " + settings["vcs.time"]
	}
	return settings["vcs.revision"] + ", " + settings["vcs.time"]
}
