package tcg_test

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"rhea/internal/accel/tcg"
)

// BenchmarkGC collects garbage while a guest never leaves machine code by
// itself: the collection has to stop it. "without a guest" is what the
// collection takes anyway.
func BenchmarkGC(b *testing.B) {
	if !tcg.Available() {
		b.Skip("no translator for this host")
	}
	old := runtime.GOMAXPROCS(runtime.NumCPU() + 1) // as the application does
	defer runtime.GOMAXPROCS(old)
	b.Run("without_a_guest", func(b *testing.B) { collect(b) })
	for _, x := range []struct{ name, code string }{
		{"one_unit", "40 ebfd"}, // INC EAX; JMP to it
		{"two_units", "40 eb00 0500010000 ebf6"},
		{"memory", "40 8b1d00001000 891d04001000 ebf1"}, // with a load and a store
	} {
		b.Run(x.name, func(b *testing.B) {
			r := newFlatRig(b, "tcg", x.code)
			var stop atomic.Bool
			done := make(chan error)
			go func() {
				runtime.LockOSThread() // as package vm does
				for !stop.Load() {
					if _, err := r.vcpu.Run(0); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			time.Sleep(20 * time.Millisecond)
			collect(b)
			stop.Store(true)
			r.vcpu.Kick()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			if s := r.cpu.Registers(); s.GPR[0] == 0 {
				b.Error("the guest has not run")
			}
		})
	}
}

// collect measures collections, with pauses in which the guest runs on.
func collect(b *testing.B) {
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		runtime.GC()
		took = append(took, time.Since(start))
		b.StopTimer()
		time.Sleep(2 * time.Millisecond)
		b.StartTimer()
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	b.ReportMetric(ms(took[len(took)/2]), "median-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms(took[len(took)-1]), "max-ms")
}
