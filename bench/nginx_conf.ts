/** nginx as a rival: static files by sendfile, WebDAV for PUT, no token check, no sync. */

/** The configuration of a server that keeps everything below `dir`. */
export function nginxConf(dir: string, port: number): string {
  return `
worker_processes 2;
daemon off;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
user root;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      root ${dir}/files;
      dav_methods PUT DELETE;
      create_full_put_path on;
    }
  }
}
`;
}
