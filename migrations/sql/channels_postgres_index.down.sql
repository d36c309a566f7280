DROP INDEX IF EXISTS belleville_groupchannel_group;
DROP INDEX IF EXISTS belleville_groupchannel_channel;
DROP INDEX IF EXISTS belleville_message_channel;
DROP INDEX IF EXISTS belleville_message_expire;
