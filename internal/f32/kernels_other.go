//go:build !amd64 && !arm64

package f32

// accelerated returns the sets of kernels in assembly, the fastest first.
func accelerated() []*set { return nil }
