DROP TABLE IF EXISTS channels_postgres_message;
DROP TABLE IF EXISTS channels_postgres_groupchannel;
DROP FUNCTION IF EXISTS channels_postgres_notify();
