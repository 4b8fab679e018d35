package build

import (
	"os/exec"
	"testing"
)

// TestHosts builds and vets all packages for every host. The Go build cache
// makes it quick when little has changed.
func TestHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	for _, goos := range []string{"linux", "darwin", "windows", "freebsd", "netbsd", "openbsd"} {
		for _, goarch := range []string{"amd64", "arm64"} {
			t.Run(goos+"/"+goarch, func(t *testing.T) {
				for _, verb := range []string{"build", "vet"} {
					cmd := exec.Command("go", verb, "rhea/...")
					cmd.Env = append(cmd.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("go %s: %v\n%s", verb, err, out)
					}
				}
			})
		}
	}
}
