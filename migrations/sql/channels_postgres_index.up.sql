CREATE INDEX IF NOT EXISTS belleville_groupchannel_group ON channels_postgres_groupchannel (group_key, channel);
COMMENT ON INDEX belleville_groupchannel_group IS 'made by belleville migrate';

CREATE INDEX IF NOT EXISTS belleville_groupchannel_channel ON channels_postgres_groupchannel (channel);
COMMENT ON INDEX belleville_groupchannel_channel IS 'made by belleville migrate';

CREATE INDEX IF NOT EXISTS belleville_message_channel ON channels_postgres_message (channel, id);
COMMENT ON INDEX belleville_message_channel IS 'made by belleville migrate';

CREATE INDEX IF NOT EXISTS belleville_message_expire ON channels_postgres_message (expire);
COMMENT ON INDEX belleville_message_expire IS 'made by belleville migrate';
