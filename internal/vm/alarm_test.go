package vm

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"rhea/internal/vclock"
)

// TestAlarm: what is set before and during a wait ends it, the last setting
// counts, and no expiry is lost between one wait and the next.
func TestAlarm(t *testing.T) {
	for _, a := range []alarm{newAlarm(), newTimerAlarm()} {
		t.Run(fmt.Sprintf("%T", a), func(t *testing.T) {
			gone := func(arm func() bool) chan bool {
				c := make(chan bool, 1)
				go func() { a.wait(arm); c <- true }()
				return c
			}
			ends := func(name string, c chan bool) {
				t.Helper()
				select {
				case <-c:
				case <-time.After(5 * time.Minute):
					t.Fatal(name, ": the alarm did not go off")
				}
			}
			ends("arm says no", gone(func() bool { a.set(-1); return false }))
			for range 1000 {
				ends("at once", gone(func() bool { a.set(0); return true }))
			}
			ends("soon", gone(func() bool { a.set(time.Millisecond); return true }))

			armed := make(chan bool)
			c := gone(func() bool { a.set(time.Hour); close(armed); return true })
			<-armed
			a.set(time.Millisecond)
			ends("sooner", c)

			for {
				armed = make(chan bool)
				from := time.Now()
				c = gone(func() bool { a.set(20 * time.Millisecond); close(armed); return true })
				<-armed
				a.set(-1)
				if time.Since(from) < 20*time.Millisecond {
					break
				}
				a.set(0) // it may have gone off before
				ends("set", c)
			}
			select {
			case <-c:
				t.Error("it went off though unset")
			case <-time.After(50 * time.Millisecond):
			}
			a.set(0)
			ends("unset, then set", c)
			a.close()
		})
	}
}

// TestSleeper: nobody oversleeps, whenever a timer is set or the loop is woken.
func TestSleeper(t *testing.T) {
	host := vclock.NewHost()
	host.Start()
	var s *sleeper
	q := vclock.NewQueue(host.Now, func() { s.earlier() })
	s = newSleeper(q)
	var fired, turns atomic.Int64
	stop, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			turns.Add(1)
			q.Run()
			s.sleep(true)
		}
	}()
	timer := q.NewTimer(func() { fired.Add(1) })
	for i := range int64(2000) {
		timer.Set(host.Now() + i%7*10_000)
		for end := time.Now().Add(5 * time.Minute); fired.Load() != i+1; time.Sleep(10 * time.Microsecond) {
			if time.Now().After(end) {
				t.Fatal("timer", i, "did not fire")
			}
		}
	}
	for i := range 2000 {
		n := turns.Load()
		s.wake()
		for end := time.Now().Add(5 * time.Minute); turns.Load() == n; time.Sleep(10 * time.Microsecond) {
			if time.Now().After(end) {
				t.Fatal("wake", i, "woke nobody")
			}
		}
	}
	// An earlier deadline sets the alarm, and nobody is woken for it. The loop may
	// still be about to sleep, so it is tried again.
	for tries := 0; ; tries++ {
		time.Sleep(10 * time.Millisecond)
		n := turns.Load()
		for i := range int64(10) {
			timer.Set(host.Now() + (20-i)*int64(time.Hour))
		}
		time.Sleep(10 * time.Millisecond)
		got := turns.Load()
		if got == n {
			break
		}
		if tries == 100 {
			t.Fatalf("%d turns for deadlines far off", got-n)
		}
	}
	if n := testing.AllocsPerRun(100, s.set); n != 0 {
		t.Errorf("%v allocations", n)
	}
	close(stop)
	s.wake()
	<-ended
	s.close()
	s.wake() // of a machine that has ended
}
