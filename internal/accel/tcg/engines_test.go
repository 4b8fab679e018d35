package tcg_test

import (
	"slices"
	"strings"
	"testing"

	"rhea/internal/accel/tcg"
)

// engines are those that the tests run with; the first is the reference. "tcg"
// compiles all code, "quick" what is executed again.
func engines() []string {
	if tcg.Available() {
		return []string{"interp", "tcg", "quick"}
	}
	return []string{"interp"}
}

// setEngine chooses the engine of a machine.
func setEngine(cfg *tcg.Config, name string) {
	cfg.Engine = map[string]tcg.Engine{"interp": tcg.Interpreter, "tcg": tcg.Translator, "quick": tcg.Translator}[name]
	cfg.Eager = name == "tcg"
}

// eachEngine runs a test with every engine. The subtests' names are the
// engines': newRig reads them there, so that no test passes an engine around.
func eachEngine(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, e := range engines() {
		t.Run(e, f)
	}
}

func benchEngines(b *testing.B, f func(b *testing.B)) {
	for _, e := range engines() {
		b.Run(e, f)
	}
}

// engineOf is the engine that a test runs with.
func engineOf(t testing.TB) string {
	for part := range strings.SplitSeq(t.Name(), "/") {
		if slices.Contains(engines(), part) {
			return part
		}
	}
	return engines()[0]
}
