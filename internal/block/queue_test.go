package block

import (
	"bytes"
	"errors"
	"sync"
	"testing"
)

func TestQueue(t *testing.T) {
	disk := NewMemory(make([]byte, 1<<20), false)
	var mu sync.Mutex // the machine's lock
	var wg sync.WaitGroup
	q := NewQueue(disk, 2, func(f func()) { mu.Lock(); defer mu.Unlock(); f() })
	for i := range 50 {
		wg.Add(1)
		q.Submit(Write, int64(i)*512, bytes.Repeat([]byte{byte(i)}, 512), 0, func(err error) {
			if err != nil {
				t.Error(err)
			}
			wg.Done()
		})
	}
	wg.Wait()
	q.Wait()
	if q.Busy() {
		t.Error("busy when all is done")
	}
	buf := make([]byte, 512)
	q2 := NewQueue(disk, 1, nil)
	q2.Submit(Read, 49*512, buf, 0, func(err error) {
		if err != nil || buf[511] != 49 {
			t.Errorf("read back: %v %d", err, buf[511])
		}
	})
}

func TestDoBounds(t *testing.T) {
	disk := NewMemory(bytes.Repeat([]byte{7}, 700), false)
	buf := bytes.Repeat([]byte{1}, 512)
	if err := Do(disk, Read, 512, buf, 0); err != nil || buf[187] != 7 || buf[188] != 0 {
		t.Errorf("partial sector: %v", err)
	}
	if err := Do(disk, Read, 1<<40, buf, 0); err == nil {
		t.Error("read beyond the end works")
	}
	if err := Do(disk, Write, 1<<40, buf, 0); err == nil {
		t.Error("write beyond the end works")
	}
	if err := Do(NewMemory(make([]byte, 512), true), Write, 0, buf, 0); !errors.Is(err, ErrReadOnly) {
		t.Errorf("write to read-only: %v", err)
	}
}
