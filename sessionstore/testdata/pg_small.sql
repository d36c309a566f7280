CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL, expire_date timestamp with time zone NOT NULL);
CREATE TABLE auth_user (id integer PRIMARY KEY, password varchar(128) NOT NULL, username varchar(150) NOT NULL UNIQUE);
