package table_test

import (
	"os"

	"parley/internal/table"
)

func Example() {
	t := table.New("", "system", "RR", "L0")
	t.Row(table.Text("last question"), table.Share(.283, 3), table.Int(7))
	t.Row(table.Text("student"), table.Share(.743, 3).Marked("▲"), table.Int(25))
	t.Row(table.Text("rewrite"), table.Share(.778, 3).Marked("▲"), table.Int(11))
	t.Note("▲ significantly above the last question")
	_ = t.Write(os.Stdout, table.Plain)
	// Output:
	// system            RR  L0
	// ────────────────────────
	// last question  .283    7
	// student        .743▲  25
	// rewrite        .778▲  11
	// ▲ significantly above the last question
}
