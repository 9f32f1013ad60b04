package admission

import (
	"context"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/sourcereview"
)

// executed returns the migrations of a source's plugin that Kong has executed, by PluginMigration. A library has users
// in all namespaces.
func (c *Cluster) executed(ctx context.Context, source *catalog.Source) ([]sourcereview.Executed, error) {
	if c.Migrations == nil {
		return nil, nil
	}
	migrations, err := c.Migrations.Migrated(ctx, c.Policies.UsersOf(source.Namespace))
	if err != nil {
		return nil, err
	}
	var all []sourcereview.Executed
	for i := range migrations {
		for _, plugin := range migrations[i].Spec.Plugins {
			if plugin.Name != source.Plugin {
				continue
			}
			executed := sourcereview.Executed{PluginMigration: migrations[i].Namespace + "/" + migrations[i].Name}
			for _, migration := range plugin.Migrations {
				executed.Migrations = append(executed.Migrations, catalog.Migration(migration))
			}
			all = append(all, executed)
		}
	}
	return all, nil
}
