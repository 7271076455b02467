package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
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

// codeVersion returns what tells one version of this program from another: the
// commit, of a build without changes, else a checksum of the program.
func codeVersion() (string, error) {
	if at, modified := vcs(); at != "" && !modified {
		return at, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot tell the version of this program: %w: name one with --code-version", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot tell the version of this program: %w: name one with --code-version", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("cannot tell the version of this program: %w: name one with --code-version", err)
	}
	return fmt.Sprintf("build %x", sum.Sum(nil)[:16]), nil
}

// vcs returns the commit of the sources and whether they had changes, as the
// build recorded it; "" where it did not.
func vcs() (at string, modified bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", false
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			at = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	return at, modified
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
