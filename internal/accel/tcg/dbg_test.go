package tcg_test

import (
	"os"
	"testing"

	"rhea/internal/guest/x86"
	"rhea/internal/trace"
)

var debugLog *trace.Log

func TestDbg(t *testing.T) {
	debugLog = trace.New(os.Stdout, trace.Op|trace.OutAsm)
	r := newProtectedRig(t, "max")
	r.exec(t, os.Getenv("CODE"), func(s *x86.State) { s.GPR[5] = 0x1004e })
}
