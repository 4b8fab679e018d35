package linux

import "testing"

// TestCalls: each row of a table has what does its call, or says that nobody
// does.
func TestCalls(t *testing.T) {
	for _, a := range ABIs() {
		calls := newTable(a)
		for nr, line := range calls.lines {
			if line == "" {
				continue
			}
			func() {
				defer func() {
					if e := recover(); e != nil {
						t.Errorf("%s: %v", a.Name, e)
					}
				}()
				calls.row(nr)
			}()
		}
	}
}
