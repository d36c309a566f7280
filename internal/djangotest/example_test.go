package djangotest_test

import (
	"context"
	"fmt"

	"github.com/belleville/belleville/internal/djangotest"
)

// A program that is no test runs commands of the example site.
func ExampleNewProject() {
	ctx := context.Background()
	site, err := djangotest.NewProject(ctx, "sqlite:////tmp/site.sqlite3", djangotest.Config{})
	if err != nil {
		fmt.Println(err) // says what to install
		return
	}
	fmt.Println(site.Manage(ctx, "check"))
}
